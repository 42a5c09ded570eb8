//! Who is compared, and how each is started: alike.
//!
//! A contender is a program and a file of `contenders/`, which anybody can read and run. Before it is started
//! the ports and modules in the file are replaced. Every program runs one worker on one processor; its log is
//! shown when it does not start.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use steerage_harness::tokio::time;
use steerage_harness::{HarnessError, Process, Scratch, envoy_binary, repository};

use crate::findings::Failed;
use crate::load::Connection;

/// A program that can be measured.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    /// What tables call it.
    pub(crate) name: String,
    /// What the command line calls it.
    pub(crate) kind: Kind,
    /// The module in place of `target/steerage.wasm`.
    wasm: Option<PathBuf>,
    /// More texts of the file that are replaced.
    replaced: Vec<(String, String)>,
    workers: u32,
}

/// The contenders by their names on the command line, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bare,
    Native,
    NativeOneCluster,
    Noop,
    Calls,
    Notes,
    Lua,
    Steerage,
    Router,
    Full,
    Every,
    Nginx,
    Haproxy,
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Bare,
        Self::Native,
        Self::NativeOneCluster,
        Self::Noop,
        Self::Calls,
        Self::Notes,
        Self::Lua,
        Self::Steerage,
        Self::Router,
        Self::Full,
        Self::Every,
        Self::Nginx,
        Self::Haproxy,
    ];

    /// Its name on the command line, and of its file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Native => "native",
            Self::NativeOneCluster => "native_one_cluster",
            Self::Noop => "noop",
            Self::Calls => "calls",
            Self::Notes => "notes",
            Self::Lua => "lua",
            Self::Steerage => "steerage",
            Self::Router => "router",
            Self::Full => "full",
            Self::Every => "every",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare Envoy, one cluster",
            Self::Native => "Envoy: weights, retries, outliers",
            Self::NativeOneCluster => "Envoy: the same in one cluster",
            Self::Noop => "filter that does nothing (wasm)",
            Self::Calls => "filter that only makes calls (wasm)",
            Self::Notes => "the same, with notes for access logs",
            Self::Lua => "Lua filter, round robin only",
            Self::Steerage => "Steerage, default",
            Self::Router => "Steerage, retries by the router",
            Self::Full => "Steerage, everything on",
            Self::Every => "Steerage, every option",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
        }
    }

    fn is_steerage(self) -> bool {
        matches!(
            self,
            Self::Steerage | Self::Router | Self::Full | Self::Every
        )
    }

    /// Its file in `contenders/`. Envoy tells YAML from JSON by its ending.
    fn file(self) -> String {
        let ending = match self {
            Self::Nginx => "conf",
            Self::Haproxy => "cfg",
            _ => "yaml",
        };
        let word = match self {
            Self::Notes => Self::Calls.word(),
            other => other.word(),
        };
        format!("{word}.{ending}")
    }

    /// The program, or `None` where it is not installed.
    fn program(self) -> Result<Option<PathBuf>, HarnessError> {
        match self {
            Self::Nginx => Ok(installed("nginx")),
            Self::Haproxy => Ok(installed("haproxy")),
            _ => envoy_binary().map(Some),
        }
    }

    pub(crate) fn is_installed(self) -> bool {
        matches!(self, Self::Nginx | Self::Haproxy)
            .then(|| installed(self.word()))
            .is_none_or(|found| found.is_some())
    }
}

/// One contender of each of `kinds`; of Steerage one for each of `modules`, if there are any.
pub(crate) fn contenders(kinds: &[Kind], modules: &[PathBuf]) -> Vec<Contender> {
    let mut found = Vec::new();
    for &kind in kinds {
        if !kind.is_steerage() || modules.is_empty() {
            found.push(Contender::new(kind));
            continue;
        }
        for module in modules {
            let mut contender = Contender::new(kind);
            if modules.len() > 1 {
                contender.name = format!("{}: {}", kind.title(), module.display());
            }
            contender.wasm = Some(module.clone());
            found.push(contender);
        }
    }
    found
}

impl Contender {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            name: kind.title().to_owned(),
            kind,
            wasm: None,
            replaced: Vec::new(),
            workers: 1,
        }
        .configured()
    }

    /// A filter of another contender's file that is configured otherwise.
    fn configured(self) -> Self {
        const NOTES: &str = "configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, value: notes}";
        match self.kind {
            Kind::Notes => self.replacing(
                "                vm_config:",
                &format!("                {NOTES}\n                vm_config:"),
            ),
            _ => self,
        }
    }

    /// Replaces a text of the file, which must be there.
    pub(crate) fn replacing(mut self, from: &str, to: &str) -> Self {
        self.replaced.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Has so many workers, which Envoy alone is told on its command line; `None` for another program.
    pub(crate) fn with_workers(&self, workers: u32) -> Option<Self> {
        let is_envoy = !matches!(self.kind, Kind::Nginx | Kind::Haproxy);
        is_envoy.then(|| Self {
            workers,
            ..self.clone()
        })
    }

    /// Starts it in front of these servers on a processor, and waits for the first good answer.
    pub(crate) async fn start(
        &self,
        servers: &[SocketAddr; 4],
        processors: &str,
    ) -> Result<Running, Failed> {
        let program = self.kind.program()?;
        let program = program.ok_or_else(|| Failed::new(format!("no {}", self.kind.word())))?;
        let reserved = Reserved::new()?;
        let text = self.text(servers, reserved.addr)?;
        let scratch = Scratch::new()?;
        let file = scratch.write(&self.kind.file(), &text)?;
        let mut command = Command::new("taskset");
        command.current_dir(repository());
        command.args(["-c", processors]).arg(program);
        match self.kind {
            Kind::Nginx => command.arg("-p").arg(scratch.path()).arg("-c").arg(&file),
            Kind::Haproxy => command.arg("-db").arg("-f").arg(&file),
            _ => command.arg("-c").arg(&file).args([
                "--concurrency",
                &self.workers.to_string(),
                "--disable-hot-restart",
                "-l",
                "warn",
            ]),
        };
        let began = Instant::now();
        let process = Process::start(command, scratch.path().join("log"))?;
        let mut running = Running {
            process,
            addr: reserved.addr,
            started_in: Duration::ZERO,
            _scratch: scratch,
            _reserved: reserved,
        };
        running
            .answers()
            .await
            .map_err(|error| Failed::new(format!("{}: {error}", self.name)))?;
        running.started_in = began.elapsed();
        Ok(running)
    }

    fn text(&self, servers: &[SocketAddr; 4], addr: SocketAddr) -> Result<String, Failed> {
        let path = repository()
            .join("benches/contenders")
            .join(self.kind.file());
        let mut text = fs::read_to_string(&path)
            .map_err(|error| Failed::new(format!("{}: {error}", path.display())))?;
        for (from, to) in &self.replaced {
            if !text.contains(from) {
                return Err(Failed::new(format!("{}: no {from:?}", path.display())));
            }
            text = text.replace(from, to);
        }
        let ports = [10000, 8081, 8082, 8083, 8084];
        let chosen = [addr].into_iter().chain(servers.iter().copied());
        for (port, chosen) in ports.iter().zip(chosen) {
            for before in ["port_value: ", "127.0.0.1:"] {
                // Through a sign that occurs nowhere, lest a port that was put in is replaced again.
                let (from, to) = (format!("{before}{port}"), chosen.port());
                text = text.replace(&from, &format!("{before}\u{1}{to}"));
            }
        }
        text = text.replace('\u{1}', "");
        if let Some(wasm) = &self.wasm {
            let wasm = fs::canonicalize(wasm)
                .map_err(|error| Failed::new(format!("{}: {error}", wasm.display())))?;
            text = text.replace("target/steerage.wasm", &wasm.to_string_lossy());
        }
        Ok(text)
    }
}

/// A contender at work. It is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    // Fields are dropped in this order: the process ends before its files are removed.
    pub(crate) process: Process,
    pub(crate) addr: SocketAddr,
    /// From the start of the program to its first good answer.
    pub(crate) started_in: Duration,
    _scratch: Scratch,
    _reserved: Reserved,
}

impl Running {
    /// Waits for the first good answer.
    async fn answers(&mut self) -> Result<(), Failed> {
        let deadline = Instant::now() + START;
        loop {
            if let Ok(200) = Connection::new(self.addr).exchange().await {
                return Ok(());
            }
            if let Some(status) = self.process.ended() {
                let log = self.process.log();
                return Err(Failed::new(format!("ended ({status}):\n{log}")));
            }
            if Instant::now() > deadline {
                let log = self.process.log();
                return Err(Failed::new(format!("no good answer in {START:?}:\n{log}")));
            }
            time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A port that nobody else gets: this socket is bound to it and does not listen. The proxies set `SO_REUSEPORT`
/// on their listeners, so they may share it.
#[derive(Debug)]
struct Reserved {
    addr: SocketAddr,
    _socket: Socket,
}

impl Reserved {
    fn new() -> Result<Self, Failed> {
        let reserve = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_reuse_port(true)?;
            socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
            let addr = socket.local_addr()?.as_socket();
            Ok((socket, addr))
        };
        let (socket, addr) =
            reserve().map_err(|error: std::io::Error| Failed::new(format!("no port: {error}")))?;
        let addr = addr.ok_or_else(|| Failed::new("a port without an address".to_owned()))?;
        Ok(Self {
            addr,
            _socket: socket,
        })
    }
}

/// Where a program is, on the PATH or where Debian puts servers.
fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| Path::is_file(file))
}

/// All need less than a second; this is for a machine under heavy load.
const START: Duration = Duration::from_secs(20);
