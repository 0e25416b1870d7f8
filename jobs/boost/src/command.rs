//! The command `train | serve`, as SageMaker calls a container: of the program `boost`, and of
//! whatever carries it within.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::artifact::Artifact;
use crate::trainer::standard;
use crate::{Place, serve, train};

/// Set by whoever runs the server for one machine only: it then answers on loopback alone.
const LOCAL: &str = "MILLRACE_LOCAL";

/// Does what a container is called with: `train` or `serve`. Everything else it is told by its
/// environment; what goes wrong goes to standard error.
pub fn run(word: Option<&str>) -> ExitCode {
    let place = Place::at(variable("SAGEMAKER_BASE_DIR").unwrap_or_else(|| Place::CONTAINER.to_owned()));
    let result = match word {
        Some("train") => run_train(&place),
        Some("serve") => run_serve(&place),
        _ => Err("usage: boost train | serve (SAGEMAKER_BASE_DIR is the base directory, by default /opt/ml)"
            .to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "boost: {reason}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a container is told everything by its environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn run_train(place: &Place) -> Result<(), String> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    std::thread::spawn(move || {
        let Ok(runtime) = runtime::Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async {
            if let Ok(mut terminate) = signal(SignalKind::terminate()) {
                terminate.recv().await;
                asked.store(true, Ordering::Relaxed);
            }
        });
    });
    train::run(place, &standard(), &stop, &mut io::stdout()).map_err(|failure| failure.to_string())
}

fn run_serve(place: &Place) -> Result<(), String> {
    let port = match variable("SAGEMAKER_BIND_TO_PORT") {
        Some(text) => text
            .parse::<u16>()
            .map_err(|_| format!("SAGEMAKER_BIND_TO_PORT: found {text:?}, expected a port"))?,
        None => 8080,
    };
    let host = match variable(LOCAL).as_deref() {
        Some("1") => Ipv4Addr::LOCALHOST,
        _ => Ipv4Addr::UNSPECIFIED,
    };
    let artifact = Artifact::load(&place.model(), &standard()).map_err(|failure| failure.to_string())?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|fault| format!("start the server: {fault}"))?;
    runtime
        .block_on(listen(SocketAddr::new(IpAddr::V4(host), port), artifact))
        .map_err(|fault| format!("serve: {fault}"))
}

async fn listen(address: SocketAddr, artifact: Artifact) -> io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    io::stdout().flush()?;
    let stopped = async move {
        terminate.recv().await;
    };
    axum::serve(listener, serve::router(Arc::new(artifact))).with_graceful_shutdown(stopped).await
}
