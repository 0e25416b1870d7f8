//! `millrace up`: serves a data directory on this machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use domain::{Envelope, Time};
use runtime::Speaking;
use serde_json::json;

use crate::client::Place;
use crate::files;
use crate::machine::{self, Machine, Options};
use crate::output::{Done, Error, say};

/// What is at hand when a machine is told to stop gets this long to end, in tenths of a second;
/// whatever does not is delivered again at the next start.
const STOP_TENTHS: u32 = 100;

#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    /// The port on 127.0.0.1; 0 for any that is free.
    #[arg(long, default_value_t = 7420)]
    pub(crate) port: u16,
    /// Start a clock at this time that moves only when it is moved (a date, or RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) virtual_clock: Option<Time>,
    /// Make a demo's directory: whoever asks may say `--as NAME`.
    #[arg(long)]
    pub(crate) demo: bool,
    /// What to log to standard error: error, warn, info, debug, or a filter as of tracing.
    #[arg(long, env = "MILLRACE_LOG", default_value = "warn", value_name = "FILTER")]
    pub(crate) log: String,
}

pub(crate) fn up(arguments: &UpArguments, place: &Place) -> Done {
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log)
        .map_err(|error| format!("--log {:?}: {error}", arguments.log))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).compact().init();
    let machine = machine::start(Options {
        data: &place.data,
        clock: arguments.virtual_clock,
        speaking: if arguments.demo { Speaking::ForAnyone } else { Speaking::ForOneself },
        seen: Arc::new(|event| say(&line(event))),
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("start the server: {error}"))?;
    runtime.block_on(serve(&machine, &place.data, arguments.port))?;
    runtime.block_on(async {
        for _ in 0..STOP_TENTHS {
            if machine.runtime.working() == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    Ok(ExitCode::SUCCESS)
}

/// Answers until the machine is told to stop.
async fn serve(machine: &Machine, data: &Path, port: u16) -> Result<(), Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        format!("listen on {address}: {error}; another port is named with --port, 0 is any that is free")
    })?;
    let address = listener.local_addr().map_err(|error| format!("listen: {error}"))?;
    let announced = Announced::write(data, address, machine)?;
    say(&format!("millrace {} serves {}", env!("CARGO_PKG_VERSION"), data.display()));
    say(&format!("  pages  http://{address}/?token={}", machine.token));
    say(&format!(
        "  clock  {} ({})",
        machine.clock.now(),
        if machine.clock.kind().is_real() { "the machine's" } else { "virtual" }
    ));
    let functions: Vec<&str> =
        machine.wiring.functions.iter().map(|function| function.name.as_str()).collect();
    say(&format!("  runs   {}", functions.join(", ")));
    say(&format!(
        "  {} settings of the template concern AWS alone and are not executed (GET /api/runtime lists them)",
        machine.wiring.not_executed.len()
    ));
    let stopped = machine.runtime.serve(listener, told_to_stop()).await;
    drop(announced);
    stopped.map_err(|error| format!("serve: {error}").into())
}

/// Control-C, or a polite kill.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// The file that tells clients where the server is; gone when it stopped cleanly.
struct Announced(PathBuf);

impl Announced {
    fn write(data: &Path, address: SocketAddr, machine: &Machine) -> Result<Announced, Error> {
        let path = data.join("server.json");
        let announcement = json!({
            "address": address.to_string(),
            "pid": std::process::id(),
            "virtual": !machine.clock.kind().is_real(),
            "demo": machine.speaking == Speaking::ForAnyone,
        });
        files::write(&path, announcement.to_string().as_bytes())?;
        Ok(Announced(path))
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // Should it stay, a client finds nobody there and says so.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// An event as people follow it.
fn line(event: &Envelope) -> String {
    let told = format!("{} #{} {}", event.pipeline, event.sequence, event.event.line(&event.actor));
    let time = event.at.to_string();
    format!("{} {} {}", &time[..10], &time[11..19], engine::text::terminal(&told))
}
