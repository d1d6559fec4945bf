//! Every bound of the relay, in one place; units last. What travels is bounded in
//! `selkie_wire::limits`; these bound what one relay holds and waits for.

use std::time::Duration;

/// Connections open at once; the next ones wait in the kernel's backlog.
pub const CONNECTIONS_MAX: usize = 1024;
/// Bytes of request and response bodies held at once, over all connections.
pub const BODIES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Largest body of the requests that carry only ids and a signature.
pub const SMALL_BODY_BYTES_MAX: usize = 4 * 1024;
/// A refused body is read and dropped up to this much, so that the client sees the answer.
pub const DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A request's head, or the next request of an idle connection, must arrive within this.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A body must not pause for longer.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// A body must be whole within this.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(300);
/// A client that takes no byte of its answer for this long is cut off.
pub const WRITE_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Once its body is read, a request is answered within this.
pub const HANDLER_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests under way may end within this after the relay is told to stop.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// Writes that may wait for the writer; beyond it the relay answers 503.
pub const WRITER_QUEUE_MAX: usize = 1024;
/// Writes committed together.
pub const GROUP_COMMIT_WRITES_MAX: usize = 256;
/// Bytes after which a group of writes is committed, though more wait.
pub const GROUP_COMMIT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Connections that read the database beside the writer.
pub const READERS: usize = 4;
/// Posted rosters verified at once. Anyone may post one, and a long one takes a while; beyond this
/// they wait for each other, and not the segments for them.
pub const ROSTER_CHECKS_MAX: usize = 2;
/// How often a request is judged anew because the roster moved under it.
pub const ROSTER_MOVES_MAX: usize = 8;
/// Roster entries of one vault, together; more cannot be verified in reasonable time and memory.
pub const ROSTER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Verified rosters kept in memory, measured by the bytes of their entries.
pub const ROSTER_CACHE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Clients that wait for something new at once; each keeps a connection, and others need some too.
pub const WAITERS_MAX: usize = CONNECTIONS_MAX / 2;
/// Of these, for one vault.
pub const WAITERS_OF_VAULT_MAX: usize = 32;
/// A client that waits is answered within this.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a challenge may take to be signed.
pub const CHALLENGE_TTL_MS: u64 = 60 * 1000;
/// How long a token is good for.
pub const TOKEN_TTL_MS: u64 = 15 * 60 * 1000;

/// Bytes of one vault, roster and segments, unless configured.
pub const VAULT_BYTES_MAX_DEFAULT: u64 = 1024 * 1024 * 1024;
/// Vaults, unless configured.
pub const VAULTS_MAX_DEFAULT: u64 = 1_000_000;
/// Vaults that may be made at once, unless configured.
pub const VAULT_CREATIONS_BURST_DEFAULT: u32 = 100;
/// Vaults that may be made each minute after that, unless configured.
pub const VAULT_CREATIONS_PER_MINUTE_DEFAULT: u32 = 60;
/// Pairing messages waiting at once, unless configured.
pub const MAILBOX_MESSAGES_MAX_DEFAULT: u64 = 4096;

/// What `Retry-After` says when the relay is busy.
pub const RETRY_AFTER_BUSY_SECONDS: u64 = 1;
/// What `Retry-After` says when room must first become free.
pub const RETRY_AFTER_FULL_SECONDS: u64 = 60;
