//! A broker that a test starts, stops and starts again.

use std::{net::TcpListener, path::Path, sync::Arc, time::Duration};

use countersign_broker::{
    Bound, Listeners, Options, RunError,
    clock::{Clock, ManualClock, SystemClock},
    config::Config,
    init, run,
};
use countersign_protocol::{join_token::JoinToken, name::PrincipalId};
use countersign_wire::v1::{self, identity_client::IdentityClient};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{Agent, Newcomer};

pub(crate) const DOMAIN: &str = "prod.acme.example";

/// The principal of that path in the tests' domain: `agent/planner`.
pub(crate) fn principal(path: &str) -> PrincipalId {
    format!("spiffe://{DOMAIN}/{path}").parse().unwrap()
}

/// What differs between the brokers of tests.
#[derive(Debug, Default)]
pub(crate) struct Setting {
    /// `[[grant_rule]]` tables and whatever else goes at the end of the configuration.
    pub(crate) rules: String,
    /// A clock that stands still, in place of the system's.
    pub(crate) clock: Option<ManualClock>,
}

/// A broker with one admin, `human/root`.
pub(crate) struct TestBroker {
    directory: tempfile::TempDir,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bound: Bound,
    /// The admin's join token, not used yet.
    pub(crate) first: JoinToken,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), RunError>>,
}

impl TestBroker {
    /// A new domain, and a broker for it.
    pub(crate) async fn start() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = match setting.clock {
            Some(clock) => Arc::new(clock),
            None => Arc::new(SystemClock),
        };
        let listeners = Listeners { api: any_port(), enrolment: any_port() };
        let config = configure(directory.path(), &listeners, &setting.rules);
        let first = init(&config, Arc::clone(&clock)).await.unwrap();
        let (stop, running, bound) = begin(&config, &clock, Some(listeners)).await;
        Self { directory, config, clock, bound, first, stop: Some(stop), running }
    }

    /// Where it keeps everything.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
            (&mut self.running).await.unwrap().unwrap();
        }
    }

    /// Waits until it has stopped by itself.
    pub(crate) async fn ended(&mut self) {
        (&mut self.running).await.unwrap().unwrap();
        self.stop = None;
    }

    /// Stops it, if it runs, and starts it again on the same files and addresses.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let (stop, running, bound) = begin(&self.config, &self.clock, None).await;
        (self.stop, self.running, self.bound) = (Some(stop), running, bound);
    }

    /// The admin, who joins with the first token.
    pub(crate) async fn admin(&self) -> Agent {
        Newcomer::new(&self.clock).join(&self.first).await.unwrap()
    }

    /// A token for that principal, by an admin.
    pub(crate) async fn token(&self, admin: &Agent, path: &str) -> JoinToken {
        let request = v1::CreateJoinTokenRequest {
            trust_domain: DOMAIN.into(),
            principal: principal(path).to_string(),
            lifetime_ms: 60_000,
        };
        let answer = IdentityClient::new(admin.channel().await).create_join_token(request).await.unwrap();
        answer.into_inner().join_token.parse().unwrap()
    }

    /// An instance of that principal, which joins with a token by that admin.
    pub(crate) async fn agent(&self, admin: &Agent, path: &str) -> Agent {
        Newcomer::new(&self.clock).join(&self.token(admin, path).await).await.unwrap()
    }
}

fn any_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
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
    std::fs::write(directory.join("countersign.toml"), text).unwrap();
    Config::load(&directory.join("countersign.toml")).unwrap_or_else(|error| panic!("{error}"))
}

async fn begin(
    config: &Config,
    clock: &Arc<dyn Clock>,
    listeners: Option<Listeners>,
) -> (oneshot::Sender<()>, JoinHandle<Result<(), RunError>>, Bound) {
    let ((stop, stopped), (ready, bound)) = (oneshot::channel(), oneshot::channel());
    let mut options = Options::until(async { drop(stopped.await) });
    options.clock = Arc::clone(clock);
    options.drain = Duration::from_millis(200);
    options.listeners = listeners;
    options.ready = Some(ready);
    let mut running = tokio::spawn(run(config.clone(), options));
    tokio::select! {
        bound = bound => (stop, running, bound.unwrap()),
        ended = &mut running => panic!("the broker does not run: {ended:?}"),
    }
}
