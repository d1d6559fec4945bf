//! Every bound on a record and its documents, in one place; units last.

/// Longest canonical JSON text of one document.
pub const DOCUMENT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of the paths of all leaves of one document: what it takes in memory to tell them apart.
pub const PATHS_BYTES_MAX: usize = 8 * DOCUMENT_BYTES_MAX;
/// Levels of objects and arrays in a document; the document itself is level 1.
pub const DOCUMENT_DEPTH_MAX: usize = 16;
/// Longest key of an object, in UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;
/// Longest collection name, in UTF-8.
pub const COLLECTION_BYTES_MAX: usize = 128;
/// Longest record id, in UTF-8.
pub const RECORD_ID_BYTES_MAX: usize = 256;
/// Integers a document may hold lie within ±(2^53 − 1), as in RFC 7493 (I-JSON).
pub const INTEGER_MAX: i64 = (1 << 53) - 1;
/// How far ahead of this device's clock a stamp may be and still be adopted.
pub const CLOCK_AHEAD_MS_MAX: u64 = 5 * 60 * 1000;
/// Longest text of a share policy file, and longest canonical form of one policy.
pub const SHARE_POLICY_BYTES_MAX: usize = 256 * 1024;
/// Rules of one share policy.
pub const SHARE_RULES_MAX: usize = 256;
/// Keys of a map that one rule lists.
pub const SHARE_KEYS_MAX: usize = 64;
/// Longest payload that a share policy may allow.
pub const SHARE_PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Levels of objects and arrays that the anonymiser looks into; what is deeper is removed.
pub const ANONYMIZE_DEPTH_MAX: usize = 64;
