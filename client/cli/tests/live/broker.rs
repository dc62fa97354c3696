//! A broker on real sockets and real files, beside which commands are run.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use countersign_broker::{Listeners, Options, RunError, clock::SystemClock, config::Config, init, run};
use countersign_cli::Exit;
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

use crate::support::{self, Ran};

pub(crate) const DOMAIN: &str = "prod.acme.example";

/// A broker, and the people who use the command line.
pub(crate) struct Site {
    directory: TempDir,
    /// On which the broker and the programs run. Commands have runtimes of their own.
    pub(crate) runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), RunError>>>,
}

impl Site {
    /// A new domain whose admin, root, has joined. `rules` goes at the end of the configuration.
    pub(crate) fn start(rules: &str) -> Self {
        let (directory, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
        let any_port = || TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners = Listeners { api: any_port(), enrolment: any_port() };
        let config = configure(directory.path(), &listeners, rules);
        let first = runtime.block_on(init(&config, Arc::new(SystemClock))).unwrap();
        let ((stop, stopped), (ready, bound)) = (oneshot::channel(), oneshot::channel());
        let mut options = Options::until(async { drop(stopped.await) });
        options.drain = Duration::from_millis(200);
        (options.listeners, options.ready) = (Some(listeners), Some(ready));
        let running = runtime.spawn(run(config, options));
        runtime.block_on(bound).unwrap();
        let site = Self { directory, runtime, stop: Some(stop), running: Some(running) };
        assert_eq!(site.with_input("root", first.to_text().as_bytes(), &["join"]).exit, Exit::Ok);
        site
    }

    /// Stops the broker.
    pub(crate) fn stop(&mut self) {
        if let (Some(stop), Some(running)) = (self.stop.take(), self.running.take()) {
            let _ = stop.send(());
            self.runtime.block_on(running).unwrap().unwrap();
        }
    }

    /// Where that person's commands keep what they keep.
    pub(crate) fn home(&self, person: &str) -> PathBuf {
        self.directory.path().join(person)
    }

    /// The file of that person's session.
    pub(crate) fn session(&self, person: &str) -> PathBuf {
        self.home(person).join(format!("sessions/{DOMAIN}.session"))
    }

    /// A path for a file.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// The domain's public keys, as `init` wrote them.
    pub(crate) fn keys(&self) -> String {
        self.path("data/public/keys.txt")
    }

    /// Runs a command of that person.
    pub(crate) fn run(&self, person: &str, args: &[&str]) -> Ran {
        self.with_input(person, b"", args)
    }

    /// Runs a command of that person, whose data is JSON.
    pub(crate) fn json(&self, person: &str, args: &[&str]) -> Ran {
        self.run(person, &[&["-o", "json"], args].concat())
    }

    pub(crate) fn with_input(&self, person: &str, input: &[u8], args: &[&str]) -> Ran {
        support::run(&self.home(person), input, args)
    }

    /// A join token for that principal, by root.
    pub(crate) fn invite(&self, path: &str) -> String {
        let principal = format!("spiffe://{DOMAIN}/{path}");
        let invited = self.run("root", &["agent", "invite", &principal, "--lifetime", "5m"]);
        assert_eq!(invited.exit, Exit::Ok, "{}", invited.err);
        invited.out
    }

    /// Lets a person join.
    pub(crate) fn join(&self, person: &str) {
        let token = self.invite(&format!("human/{person}"));
        let joined = self.with_input(person, token.as_bytes(), &["join", "-"]);
        assert_eq!(joined.exit, Exit::Ok, "{}", joined.err);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
    }
}

fn configure(directory: &Path, listeners: &Listeners, rules: &str) -> Config {
    let text = format!(
        "trust_domain = \"{DOMAIN}\"\n\
         data_dir = \"data\"\n\
         key_dir = \"keys\"\n\
         listen = \"{}\"\n\
         enrolment_listen = \"{}\"\n\
         admins = [\"spiffe://{DOMAIN}/human/root\"]\n\
         {rules}",
        listeners.api.local_addr().unwrap(),
        listeners.enrolment.local_addr().unwrap(),
    );
    let path = directory.join("countersign.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path).unwrap_or_else(|error| panic!("{error}"))
}
