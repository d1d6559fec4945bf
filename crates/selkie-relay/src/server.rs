//! The listening socket: accepts connections, bounds them, and ends them in good order.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::auth::random;
use crate::config::{Config, Storage};
use crate::error::RelayError;
use crate::handlers::router;
use crate::limits::CONNECTIONS_MAX;
use crate::stall::StallGuard;
use crate::store::memory::MemoryStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{Room, Store};

/// Bytes of a request's head that are buffered.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Header lines of a request.
const HEADERS_MAX: usize = 64;

/// A relay that listens, and does not answer yet.
///
/// ```
/// use selkie_relay::{Config, Relay};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let relay = Relay::bind(Config::in_memory()).await?;
/// println!("listening on http://{}", relay.local_addr());
/// let shutdown = async { /* wait for a signal here */ };
/// relay.serve(shutdown).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Relay {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
}

impl core::fmt::Debug for Relay {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Relay").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Relay {
    /// Opens the storage and the socket. From here on connections wait instead of failing.
    ///
    /// # Errors
    /// [`RelayError`]: the storage is not ours, newer, broken or in use; the address is taken, or
    /// would expose plaintext.
    pub async fn bind(config: Config) -> Result<Self, RelayError> {
        if !config.listen.ip().is_loopback() && !config.behind_proxy {
            return Err(RelayError::Plaintext { address: config.listen });
        }
        let store = open_store(&config)?;
        let listen = config.listen;
        let failed = |source| RelayError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { app: Arc::new(App::new(config, store)?), listener, address })
    }

    /// Where it listens, with the port the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` resolves; then takes no new request, lets those under way end
    /// within [`Timeouts::shutdown`](crate::Timeouts::shutdown), and closes the storage.
    ///
    /// # Errors
    /// [`RelayError`]; none at present, as a failing disk is answered request by request.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), RelayError> {
        let Self { app, listener, .. } = self;
        let graceful = GracefulShutdown::new();
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let router = router(Arc::clone(&app));
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = accept(&listener, &connections) => accepted,
            };
            match accepted {
                Ok((stream, permit)) => {
                    connect(&app, router.clone(), stream, permit, &graceful);
                }
                // Out of descriptors, or the client went away before it was accepted.
                Err(error) => {
                    app.config.log.line(&format!("a connection was not accepted: {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        app.waiters.close();
        let ended = tokio::time::timeout(app.config.timeouts.shutdown, graceful.shutdown()).await;
        if ended.is_err() {
            app.config.log.line("some requests did not end in time and were cut off");
        }
        let closing = Arc::clone(&app);
        let _panicked = tokio::task::spawn_blocking(move || closing.store.close()).await;
        Ok(())
    }
}

/// Without descriptors, accepting fails at once, again and again.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

fn open_store(config: &Config) -> Result<Arc<dyn Store>, RelayError> {
    let room = Room {
        vault_bytes_max: config.quotas.vault_bytes_max,
        vaults_max: config.quotas.vaults_max,
        mailbox_messages_max: config.quotas.mailbox_messages_max,
    };
    let epoch = selkie_wire::RelayEpoch(random()?);
    Ok(match &config.storage {
        Storage::Directory(data_dir) => Arc::new(SqliteStore::open(data_dir, epoch, room)?),
        Storage::Memory => Arc::new(MemoryStore::new(epoch, room)),
    })
}

/// Waits for room first: a connection that is not accepted costs nothing here.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

fn connect(
    app: &Arc<App>,
    router: Router,
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    graceful: &GracefulShutdown,
) {
    // Answers are small and complete; waiting to fill a packet only delays them.
    let _best_effort = stream.set_nodelay(true);
    let io = TokioIo::new(StallGuard::new(stream, app.config.timeouts.write_idle));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.config.timeouts.head)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(io, TowerToHyperService::new(router));
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        // A broken connection is the client's affair, and its log line would only help a spy.
        let _broken = watched.await;
        drop(permit);
    });
}
