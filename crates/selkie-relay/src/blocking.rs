//! Running a relay from code without an async runtime: the command line, and tests.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::error::RelayError;
use crate::server::Relay;

/// Runs a relay until the process is told to stop (SIGINT or SIGTERM), and calls `on_ready` with
/// the address once it listens.
///
/// # Errors
/// [`RelayError`]; see [`Relay::bind`].
pub fn run_blocking(config: Config, on_ready: impl FnOnce(SocketAddr)) -> Result<(), RelayError> {
    runtime()?.block_on(async {
        let signalled = signalled()?;
        let relay = Relay::bind(config).await?;
        on_ready(relay.local_addr());
        relay.serve(signalled).await
    })
}

/// A relay on threads of its own; stops when dropped.
///
/// ```
/// use selkie_relay::{Background, Config};
/// let relay = Background::start(Config::in_memory())?;
/// assert!(relay.url().starts_with("http://127.0.0.1:"));
/// relay.stop()?;
/// # Ok::<(), selkie_relay::RelayError>(())
/// ```
#[derive(Debug)]
pub struct Background {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), RelayError>>>,
}

impl Background {
    /// Starts a relay, and returns once it listens.
    ///
    /// # Errors
    /// [`RelayError`]; see [`Relay::bind`].
    pub fn start(config: Config) -> Result<Self, RelayError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, address) = mpsc::channel();
        let run = move || {
            runtime()?.block_on(async {
                let relay = Relay::bind(config).await?;
                let _starter_waits = ready.send(relay.local_addr());
                relay.serve(async { stopped.await.unwrap_or(()) }).await
            })
        };
        let thread = std::thread::Builder::new()
            .name("selkie-relay".to_owned())
            .spawn(run)
            .map_err(|source| RelayError::Runtime { source })?;
        match address.recv() {
            Ok(address) => Ok(Self { address, stop: Some(stop), thread: Some(thread) }),
            Err(_) => Err(join(thread).err().unwrap_or_else(cut_off)),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients connect to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets requests under way end, closes the storage, and returns when all is done.
    ///
    /// # Errors
    /// [`RelayError`]; see [`Relay::serve`].
    pub fn stop(mut self) -> Result<(), RelayError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), RelayError> {
        if let Some(stop) = self.stop.take() {
            let _ended_already = stop.send(());
        }
        self.thread.take().map_or(Ok(()), join)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _reported_by_stop_only = self.end();
    }
}

fn join(thread: JoinHandle<Result<(), RelayError>>) -> Result<(), RelayError> {
    thread.join().unwrap_or_else(|_| Err(cut_off()))
}

fn cut_off() -> RelayError {
    RelayError::Runtime { source: std::io::Error::other("its thread ended early") }
}

fn runtime() -> Result<Runtime, RelayError> {
    let runtime = Builder::new_multi_thread().enable_all().thread_name("selkie-relay").build();
    runtime.map_err(|source| RelayError::Runtime { source })
}

/// Resolves when the process is asked to stop. Listening begins before the relay does, so that no
/// early signal is missed.
#[cfg(unix)]
fn signalled() -> Result<impl Future<Output = ()>, RelayError> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|source| RelayError::Runtime { source });
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves when the process is asked to stop.
#[cfg(not(unix))]
fn signalled() -> Result<impl Future<Output = ()>, RelayError> {
    Ok(async {
        let _no_handler = tokio::signal::ctrl_c().await;
    })
}
