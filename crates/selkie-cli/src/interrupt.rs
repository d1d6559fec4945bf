//! Being told to stop: ^C, or a signal of the system.

use std::sync::mpsc::{Receiver, channel};

use crate::exit::Failure;

/// Receives once the process is told to stop. When this returns, no signal is missed any more.
pub fn interrupted() -> Result<Receiver<()>, Failure> {
    let (tell, told) = channel();
    let (ready, is_ready) = channel();
    std::thread::spawn(move || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let signalled = signalled()?;
            // Whoever waits for either may be gone; then nothing is left to stop.
            let _nobody = ready.send(());
            signalled.await;
            let _nobody = tell.send(());
            Ok(())
        })
    });
    is_ready.recv().map_err(|_| std::io::Error::other("signals cannot be heard"))?;
    Ok(told)
}

#[cfg(unix)]
fn signalled() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signalled() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _no_handler = tokio::signal::ctrl_c().await;
    })
}
