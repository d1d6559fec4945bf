//! Every bound on what travels, in one place; units last.

/// Largest envelope a relay stores or a device opens.
pub const ENVELOPE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Smallest plaintext after padding, so that a lone edit looks like any other short one.
pub const PLAINTEXT_BYTES_MIN: usize = 512;
/// Largest decompressed segment body.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A segment body may decompress to at most this many times its compressed size.
pub const COMPRESSION_RATIO_MAX: usize = 64;
/// Uncompressed changes a segment is filled with before the next one is begun.
pub const SEGMENT_BODY_BYTES_TARGET: usize = 256 * 1024;
/// Largest encoding of one change (one transaction); it must fit an envelope even uncompressed.
pub const CHANGE_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Largest body of one relay request.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest answer a client reads from a relay.
pub const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A page of pulled segments is closed once it holds this much (it always holds one segment).
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Segments in one page or one push.
pub const PAGE_SEGMENTS_MAX: usize = 1024;
/// Bytes of envelopes a client puts into one push.
pub const PUSH_BYTES_MAX: usize = 1024 * 1024;

/// Largest roster entry.
pub const ROSTER_ENTRY_BYTES_MAX: usize = 256 * 1024;
/// Entries a roster may have.
pub const ROSTER_ENTRIES_MAX: usize = 10_000;
/// Devices a vault may have, counting revoked ones.
pub const DEVICES_MAX: usize = 1_000;
/// A page of roster entries is closed once it holds this much (it always holds one entry).
pub const ROSTER_PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest pairing message in a mailbox.
pub const MAILBOX_BYTES_MAX: usize = 64 * 1024;
/// How long a pairing message waits.
pub const MAILBOX_TTL_MS: u64 = 10 * 60 * 1000;
/// Messages a pairing needs: offer, request, grant.
pub const MAILBOX_SLOTS: u8 = 3;

/// Largest segment file in a folder, several segments merged into one included.
pub const FOLDER_FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Names of one folder that are looked at.
pub const FOLDER_NAMES_MAX: usize = 1_000_000;

/// Largest sync package.
pub const PACKAGE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Nesting that the strict CBOR check accepts: a document's 16 levels inside our own few.
pub const CBOR_DEPTH_MAX: usize = 32;
