//! The process that is killed.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use countersign_protocol::{join_token::JoinToken, trust::KeySet};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::disk::Disk;

pub(crate) const DOMAIN: &str = "prod.acme.example";

/// How long a start may take: it reads and checks the whole ledger.
const START_MAX: Duration = Duration::from_secs(60);

/// `countersignd` on files and ports that stay the same.
pub(crate) struct Daemon {
    running: Option<Running>,
    home: Home,
}

/// Where everything is that the broker has.
pub(crate) enum Home {
    Directory(TempDir),
    Disk(Disk),
}

impl Home {
    fn path(&self) -> &Path {
        match self {
            Self::Directory(directory) => directory.path(),
            Self::Disk(disk) => disk.root(),
        }
    }
}

struct Running {
    child: Child,
    serving: Arc<AtomicBool>,
    /// Reads what the process says, to its end.
    log: thread::JoinHandle<String>,
}

impl Daemon {
    /// A new domain that nobody serves yet, and its admin's join token. `rules` goes at the end of
    /// the configuration.
    pub(crate) fn init(home: Home, rules: &str) -> (Self, JoinToken) {
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [listen, enrolment] = ports.map(|port| port.local_addr().unwrap());
        let text = format!(
            "trust_domain = \"{DOMAIN}\"\ndata_dir = \"data\"\nkey_dir = \"keys\"\n\
             listen = \"{listen}\"\nenrolment_listen = \"{enrolment}\"\n\
             admins = [\"spiffe://{DOMAIN}/human/root\"]\n{rules}"
        );
        let path = home.path().join("countersign.toml");
        fs::write(&path, text).unwrap();
        fs::File::open(&path).unwrap().sync_all().unwrap();
        let this = Self { running: None, home };
        let made = this.command("exec \"$0\" init").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (this, String::from_utf8(made.stdout).unwrap().trim().parse().unwrap())
    }

    /// The process that runs.
    pub(crate) fn process(&self) -> u32 {
        self.running.as_ref().unwrap().child.id()
    }

    /// Where the ledger is.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.home.path().join("data/ledger")
    }

    /// What auditors pin.
    pub(crate) fn keys(&self) -> KeySet {
        let text = fs::read_to_string(self.home.path().join("data/public/keys.txt")).unwrap();
        text.trim_end().parse().unwrap()
    }

    /// Starts it, and waits until it serves.
    pub(crate) async fn start(&mut self) {
        self.spawn("exec \"$0\" run");
        self.until_serving().await;
    }

    /// Starts it on a disk that takes files of so many blocks only.
    pub(crate) async fn start_with_blocks(&mut self, blocks: u32) {
        // The signal would kill it; ignored, it leaves the error that a full disk gives.
        self.spawn(&format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" run"));
        self.until_serving().await;
    }

    /// Starts it and kills it after that time. Whether it got so far as to serve.
    pub(crate) async fn stumble(&mut self, after: Duration) -> bool {
        self.spawn("exec \"$0\" run");
        sleep(after).await;
        let served = self.running.as_ref().unwrap().serving.load(Ordering::SeqCst);
        self.kill();
        served
    }

    /// Kills it: nothing in it runs any more.
    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.child.kill().unwrap();
        let status = running.child.wait().unwrap();
        assert!(status.code().is_none(), "it had ended by itself: {status}: {}", running.log.join().unwrap());
    }

    /// Cuts the power under it: it stops, what is on the disk at that moment is what stays, and it
    /// is gone. `meanwhile` runs once it has stopped.
    pub(crate) async fn cut<T>(&mut self, meanwhile: impl AsyncFnOnce() -> T) -> T {
        let Home::Disk(disk) = &self.home else { panic!("this disk has no power of its own") };
        let process = self.process().to_string();
        assert!(Command::new("kill").args(["-STOP", &process]).status().unwrap().success());
        let outcome = meanwhile().await;
        disk.snapshot();
        self.kill();
        let Home::Disk(disk) = &self.home else { panic!("it was there") };
        disk.restore();
        outcome
    }

    /// Waits until it ends by itself; gives how, and what it said.
    pub(crate) async fn ended(&mut self, longest: Duration) -> (ExitStatus, String) {
        let mut running = self.running.take().unwrap();
        let deadline = Instant::now() + longest;
        loop {
            match running.child.try_wait().unwrap() {
                Some(status) => return (status, running.log.join().unwrap()),
                None if Instant::now() < deadline => sleep(Duration::from_millis(20)).await,
                None => {
                    running.child.kill().unwrap();
                    panic!("it still runs: {}", running.log.join().unwrap());
                }
            }
        }
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", script, env!("CARGO_BIN_EXE_countersignd")])
            .current_dir(self.home.path())
            .env_remove("COUNTERSIGN_CONFIG")
            .env_remove("COUNTERSIGN_LOG");
        command
    }

    fn spawn(&mut self, script: &str) {
        assert!(self.running.is_none());
        let mut child = self.command(script).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let serving = Arc::new(AtomicBool::new(false));
        let (stderr, told) = (child.stderr.take().unwrap(), Arc::clone(&serving));
        let log = thread::spawn(move || follow(stderr, &told));
        self.running = Some(Running { child, serving, log });
    }

    async fn until_serving(&mut self) {
        let deadline = Instant::now() + START_MAX;
        let running = self.running.as_mut().unwrap();
        while !running.serving.load(Ordering::SeqCst) {
            let ended = running.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > deadline {
                let Running { mut child, log, .. } = self.running.take().unwrap();
                let _ = child.kill();
                panic!("it does not serve ({ended:?}): {}", log.join().unwrap());
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

/// Everything that it says; tells when it serves.
fn follow(stderr: ChildStderr, serving: &AtomicBool) -> String {
    let (mut stderr, mut log) = (BufReader::new(stderr), String::new());
    while !log.contains("\"serving\"") {
        if stderr.read_line(&mut log).unwrap_or(0) == 0 {
            return log;
        }
    }
    serving.store(true, Ordering::SeqCst);
    let _ = stderr.read_to_string(&mut log);
    log
}
