//! The process that is killed.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use countersign_protocol::{join_token::JoinToken, trust::KeySet};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    disk::Disk,
    heard::{Heard, News},
};

pub(crate) const DOMAIN: &str = "prod.acme.example";

/// How long a start may take: it reads and checks the whole ledger.
const START_MAX: Duration = Duration::from_secs(60);

/// Blocks of a disk that is soon full: hundreds of entries.
const BLOCKS: u32 = 512;

/// What a broker runs out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// It may write files of so many blocks only.
    OfBlocks,
    /// Its disk is full.
    OfDisk,
}

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
    heard: Heard,
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
        self.launch();
        self.until_serving().await;
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn launch(&mut self) {
        self.spawn("exec \"$0\" run");
    }

    /// Lets it run out of room soon.
    pub(crate) async fn run_short(&mut self, shortage: Shortage) -> Shortage {
        match (&self.home, shortage) {
            (_, Shortage::OfBlocks) => {
                self.kill();
                // The signal would kill it; ignored, it leaves the error that a full disk gives.
                self.spawn(&format!("trap '' XFSZ; ulimit -S -f {BLOCKS}; exec \"$0\" run"));
                self.until_serving().await;
            }
            (Home::Disk(disk), Shortage::OfDisk) => disk.fill(),
            (Home::Directory(_), Shortage::OfDisk) => panic!("that disk is not ours to fill"),
        }
        shortage
    }

    /// Ends the shortage under the running process.
    pub(crate) fn make_room(&self, shortage: Shortage) {
        match (&self.home, shortage) {
            (Home::Disk(disk), Shortage::OfDisk) => disk.empty(),
            _ => {
                let process = self.running.as_ref().unwrap().child.id().to_string();
                let raised = Command::new("prlimit").args(["--pid", &process, "--fsize=unlimited:"]).status();
                assert!(raised.unwrap().success());
            }
        }
    }

    /// Waits until it has said that.
    pub(crate) async fn until(&self, words: &str) {
        let deadline = Instant::now() + START_MAX;
        while !self.heard().log.contains(words) {
            assert!(Instant::now() < deadline, "it never says `{words}`: {}", self.heard().log);
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the process that served before serves once more.
    pub(crate) async fn until_serving_again(&self) {
        let deadline = Instant::now() + START_MAX;
        while self.heard().serving < 2 {
            assert!(Instant::now() < deadline, "it does not serve again: {}", self.heard().log);
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Starts it and kills it after that time. Whether it got so far as to serve.
    pub(crate) async fn stumble(&mut self, after: Duration) -> bool {
        self.spawn("exec \"$0\" run");
        sleep(after).await;
        let served = self.heard().serving > 0;
        self.kill();
        served
    }

    /// What it said so far.
    pub(crate) fn heard(&self) -> News {
        self.running.as_ref().unwrap().heard.so_far()
    }

    /// Waits until it makes a snapshot; whether it does.
    pub(crate) async fn until_keeping(&self, longest: Duration) -> bool {
        let (begun, deadline) = (self.heard().begun, Instant::now() + longest);
        while Instant::now() < deadline {
            let news = self.heard();
            if news.is_keeping() || news.begun > begun {
                return true;
            }
            sleep(Duration::from_micros(500)).await;
        }
        false
    }

    /// Kills it: nothing in it runs any more. Gives all that it said.
    pub(crate) fn kill(&mut self) -> News {
        let Running { mut child, heard } = self.running.take().unwrap();
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let news = heard.until_it_ended();
        assert!(status.code().is_none(), "it had ended by itself: {status}: {}", news.log);
        news
    }

    /// Cuts the power under it: it stops, what is on the disk at that moment is what stays, and it
    /// is gone. `meanwhile` runs once it has stopped.
    pub(crate) async fn cut<T>(&mut self, meanwhile: impl AsyncFnOnce() -> T) -> (News, T) {
        let Home::Disk(disk) = &self.home else { panic!("this disk has no power of its own") };
        let process = self.process().to_string();
        assert!(Command::new("kill").args(["-STOP", &process]).status().unwrap().success());
        let outcome = meanwhile().await;
        disk.snapshot();
        let news = self.kill();
        let Home::Disk(disk) = &self.home else { panic!("it was there") };
        disk.restore();
        (news, outcome)
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
        let heard = Heard::listen(child.stderr.take().unwrap());
        self.running = Some(Running { child, heard });
    }

    async fn until_serving(&mut self) {
        let deadline = Instant::now() + START_MAX;
        let running = self.running.as_mut().unwrap();
        while running.heard.so_far().serving == 0 {
            let ended = running.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > deadline {
                let Running { mut child, heard } = self.running.take().unwrap();
                let _ = child.kill();
                panic!("it does not serve ({ended:?}): {}", heard.until_it_ended().log);
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
