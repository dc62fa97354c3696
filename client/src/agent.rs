//! An agent: one instance, its keys, and its standing with the broker.

use std::{
    fmt,
    future::Future,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::{
    digest::{Digest, SpkiHash},
    key::{PublicKey, SigningKey},
    ledger::SignedCheckpoint,
    name::{InstanceId, TrustDomain},
    signed::{Signed, Statement},
    time::Timestamp,
    trace_context::TraceContext,
    trust::KeySet,
};
use tokio::{sync::watch, task::JoinHandle};
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    bundle::Bundle,
    chains::Chains,
    channel::{Connector, Identity},
    clock::{Clock, SystemClock, TlsTime},
    connection::Connection,
    directory::Directory,
    error::{CallerFault, Error},
    keyring::Keyring,
    ledger::{Ledger, View},
    renewal,
    serve::Served,
};

/// Where an exported identity is kept: see [`Options::danger_keep`].
pub type Keep = Arc<dyn Fn(&[u8]) -> io::Result<()> + Send + Sync>;

/// What an agent is made with.
#[derive(Clone)]
pub struct Options {
    /// Digest of what configures this copy: model, prompt, tools. Contracts name it; another
    /// configuration is another party.
    pub configuration: Digest,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Called with [`Agent::danger_export`] before each renewal is sent and after each has been
    /// answered, for an identity that must outlive its process. If it fails, the renewal waits.
    pub danger_keep: Option<Keep>,
    /// Asked for the trace that an invocation belongs to, before each: such as that of the current span. It goes
    /// unsigned, through the broker, to the callee.
    pub trace: Option<Trace>,
}

/// Names the trace that whoever calls now belongs to.
pub type Trace = Arc<dyn Fn() -> Option<TraceContext> + Send + Sync>;

impl Options {
    /// With the system's clock, and keys that stay in memory.
    pub fn new(configuration: Digest) -> Self {
        Self { configuration, clock: Arc::new(SystemClock), danger_keep: None, trace: None }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("configuration", &self.configuration).finish_non_exhaustive()
    }
}

/// One instance and its standing with the broker. Clones are the same agent.
///
/// Its identity is renewed in the background until the last clone is dropped.
#[derive(Clone)]
pub struct Agent {
    pub(crate) inner: Arc<Inner>,
    _renewal: Arc<Background>,
}

/// What the clones of an agent share.
pub(crate) struct Inner {
    pub(crate) key: SigningKey,
    pub(crate) identity: Arc<Identity>,
    pub(crate) configuration: Digest,
    pub(crate) domain: TrustDomain,
    /// Certificates of the authority, in DER.
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) keyring: Arc<Keyring>,
    /// The authority that the join token named.
    pub(crate) pinned: Digest,
    /// The address of the broker.
    pub(crate) address: String,
    pub(crate) connection: Connection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keep: Option<Keep>,
    pub(crate) trace: Option<Trace>,
    standing: Mutex<Standing>,
    pub(crate) view: View,
    pub(crate) directory: Directory,
    pub(crate) chains: Chains,
    /// What this instance has done for others.
    pub(crate) served: Mutex<Served>,
    /// Why this identity cannot be renewed any more.
    pub(crate) ended: watch::Sender<Option<Error>>,
}

/// Where the identity stands in its succession of certificates.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The newest certificate, in DER,
    pub(crate) certificate: Vec<u8>,
    /// and its number.
    pub(crate) generation: u32,
    /// When the next one is asked for.
    pub(crate) renew_at: Timestamp,
    /// What was signed to ask for it. Until that is answered, nothing else may be signed from the
    /// same generation: that is how a copied identity looks.
    pub(crate) pending: Option<Signed>,
}

/// Everything that an agent begins or goes on with.
pub(crate) struct Beginning {
    pub(crate) key: SigningKey,
    pub(crate) identity: Identity,
    pub(crate) standing: Standing,
    pub(crate) bundle: Bundle,
    pub(crate) pinned: Digest,
    pub(crate) address: String,
    pub(crate) checkpoint: Option<SignedCheckpoint>,
    /// Whether the bundle is what the broker has just said, and need not be asked for at first.
    pub(crate) fresh: bool,
}

impl Agent {
    /// Connects, lazily, and begins to renew.
    pub(crate) fn begin(beginning: Beginning, options: Options) -> Result<Self, Error> {
        let Beginning { key, identity, standing, bundle, pinned, address, checkpoint, fresh } = beginning;
        let identity = Arc::new(identity);
        let time = Arc::new(TlsTime(Arc::clone(&options.clock)));
        let connector = Connector::mutual(Arc::clone(&identity), bundle.trust()?, time);
        let connector = connector.map_err(|error| CallerFault::Local { why: error.to_string() })?;
        let Bundle { authorities, keys } = bundle;
        let domain = keys.domain().clone();
        let keyring = Arc::new(Keyring::new(keys, connector.opened(), u64::from(fresh)));
        let inner = Arc::new(Inner {
            key,
            identity,
            configuration: options.configuration,
            connection: Connection::new(&address, connector)?,
            view: View::new(Arc::clone(&keyring), checkpoint)?,
            domain,
            authorities,
            keyring,
            pinned,
            address,
            clock: options.clock,
            keep: options.danger_keep,
            trace: options.trace,
            standing: Mutex::new(standing),
            directory: Directory::default(),
            chains: Chains::new(),
            served: Mutex::default(),
            ended: watch::Sender::new(None),
        });
        let renewal = Background(tokio::spawn(renewal::keep_fresh(Arc::clone(&inner))));
        Ok(Self { inner, _renewal: Arc::new(renewal) })
    }

    /// Who this is.
    pub fn instance(&self) -> &InstanceId {
        self.inner.identity.instance()
    }

    /// The trust domain.
    pub fn domain(&self) -> &TrustDomain {
        &self.inner.domain
    }

    /// This instance's public key.
    pub fn public_key(&self) -> PublicKey {
        self.inner.key.public()
    }

    /// The domain's keys. The first ones are believed because they came over a channel to a broker whose
    /// authority the join token pinned; later ones because those before signed them.
    pub fn keys(&self) -> Arc<KeySet> {
        self.inner.keyring.keys()
    }

    /// Digest of what configures this copy.
    pub fn configuration(&self) -> Digest {
        self.inner.configuration
    }

    /// The time, as the agent's clock has it.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The ledger, as this agent has seen it.
    pub fn ledger(&self) -> Ledger<'_> {
        Ledger::of(self)
    }

    /// Completes when this identity cannot be renewed any more, with the reason.
    pub async fn ended(&self) -> Error {
        let mut ended = self.inner.ended.subscribe();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| CallerFault::IdentityEnded.into())
    }

    /// The connection to the broker, for calls that the SDK does not make. It is replaced before this
    /// agent's certificate ends, so ask for it again then.
    pub fn channel(&self) -> Channel {
        self.inner.connection.channel()
    }

    /// Names the TLS key of this end of the [`channel`](Self::channel): what a holder's proof binds.
    pub fn channel_key(&self) -> SpkiHash {
        self.inner.identity.key().spki_hash()
    }

    /// Whether half the life of the certificate has passed and the next one has not come yet: what
    /// keeps a process that has nothing else to do.
    pub fn renewal_is_due(&self) -> bool {
        self.inner.standing().renew_at <= self.now()
    }

    /// Signs a statement with the instance key: whatever it says, this agent answers for it.
    pub fn sign<S: Statement>(&self, statement: &S) -> Signed {
        statement.sign(&self.inner.key)
    }

    /// Calls the broker; `what` completes "could not …".
    pub(crate) async fn call<M, T, F, O>(&self, what: &str, message: M, call: F) -> Result<T, Error>
    where
        M: Clone,
        F: Fn(Channel, Request<M>) -> O,
        O: Future<Output = Result<Response<T>, Status>>,
    {
        self.check_standing()?;
        // On the heap, so that whatever calls stays small.
        let answer = Box::pin(self.inner.connection.call(what, message, call)).await?;
        // It may be signed by keys that have come since.
        Box::pin(self.know_keys()).await?;
        Ok(answer)
    }

    /// Says why nothing can be done any more, where that is so.
    pub(crate) fn check_standing(&self) -> Result<(), Error> {
        self.inner.ended.borrow().clone().map_or(Ok(()), Err)
    }
}

impl Inner {
    pub(crate) fn standing(&self) -> MutexGuard<'_, Standing> {
        // Whoever holds this only moves values: a panic leaves nothing half done.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Agent({})", self.instance())
    }
}

/// A task that ends with whoever started it.
#[derive(Debug)]
pub(crate) struct Background(pub(crate) JoinHandle<()>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}
