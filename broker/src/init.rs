//! Making a trust domain: its keys, its first entries, its first join token.

use std::{io, path::PathBuf, sync::Arc};

use countersign_protocol::{
    capability::Text,
    join_token::JoinToken,
    name::{PrincipalId, TrustDomain},
    refusal::Refusal,
    trust::KeySet,
};
use rand::rngs::OsRng;
use thiserror::Error;

use crate::{
    broker::{AssemblyError, Broker},
    channel::AuthorityError,
    clock::Clock,
    config::Config,
    file,
    held_store::Released,
    join_tokens::JoinTokens,
    keys::{DomainKeys, KeyError, KeyFiles, KeySource as _},
    limits::OPERATOR_TOKEN_LIFE,
    metrics::Appends,
};

/// Why a domain was not made, or its operator got no join token.
#[derive(Debug, Error)]
pub enum InitError {
    /// It exists. Nothing was changed.
    #[error("{0} exists already; `countersignd admin-token` makes another join token for an admin")]
    Exists(TrustDomain),
    /// The parts cannot be put together.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// The keys cannot be kept.
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    /// The authority cannot be made.
    #[error("authority: {0}")]
    Authority(#[from] AuthorityError),
    /// The keys do not fit into one key set.
    #[error("the keys do not fit into one key set")]
    KeySet,
    /// Whom the token is for is no admin.
    #[error("{0} is not listed under `admins` in the configuration")]
    NotAnAdmin(PrincipalId),
    /// Nobody could administer the domain.
    #[error("the configuration lists no admin")]
    NoAdmin,
    /// No address can be told to newcomers.
    #[error(
        "no address can be put in a join token: set `advertise` and `advertise_enrolment`, or fixed ports"
    )]
    NoAddress,
    /// The domain did not record it.
    #[error("the ledger refused: {0}")]
    Refused(#[from] Refusal),
    /// A public file cannot be written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the domain that the configuration names, and a join token for its first admin.
///
/// Keys that are there already are used, never overwritten: an `init` that was interrupted can be
/// repeated. A domain that has entries is left alone.
pub async fn init(config: &Config, clock: Arc<dyn Clock>) -> Result<JoinToken, InitError> {
    let addresses = addresses(config)?;
    let source = KeyFiles::in_dir(config.key_dir.clone());
    let keys = if source.holds_any() {
        source.load()?
    } else {
        let keys = DomainKeys::generate(&config.trust_domain, clock.now(), &mut OsRng)?;
        source.keep(&keys)?;
        keys
    };
    let key_set = keys.key_set().ok_or(InitError::KeySet)?;
    let (broker, released) = Broker::assemble(config, keys, clock, Appends::default()).await?;
    let token = found(config, &broker, &key_set, addresses).await;
    close(broker, released).await;
    token
}

async fn found(
    config: &Config,
    broker: &Broker,
    key_set: &KeySet,
    addresses: (Text, Text),
) -> Result<JoinToken, InitError> {
    if broker.domain.peek(|state, _| state.last_time().is_some()) {
        return Err(InitError::Exists(config.trust_domain.clone()));
    }
    broker.domain.decide(|state, context| state.decide_keys(context, key_set), |_| Ok(())).await?;
    publish(config, key_set, &broker.authority.certificate_pem())?;
    let admin = broker.domain.policy().admins.first().cloned().ok_or(InitError::NoAdmin)?;
    issue(broker, addresses, &admin).await
}

/// Makes a join token for an admin, by the operator, while no broker runs.
pub async fn admin_token(
    config: &Config,
    clock: Arc<dyn Clock>,
    admin: &PrincipalId,
) -> Result<JoinToken, InitError> {
    if !config.policy.policy().admins.contains(admin) {
        return Err(InitError::NotAnAdmin(admin.clone()));
    }
    let addresses = addresses(config)?;
    let (broker, released) = Broker::open(config, clock, Appends::default()).await?;
    let token = issue(&broker, addresses, admin).await;
    close(broker, released).await;
    token
}

/// Leaves the files to whoever opens them next.
async fn close(broker: Broker, released: Released) {
    drop(broker);
    released.await;
}

fn addresses(config: &Config) -> Result<(Text, Text), InitError> {
    let enrolment = config.enrolment_address(None).ok_or(InitError::NoAddress)?;
    Ok((enrolment, config.broker_address(None).ok_or(InitError::NoAddress)?))
}

async fn issue(
    broker: &Broker,
    (enrolment, address): (Text, Text),
    admin: &PrincipalId,
) -> Result<JoinToken, InitError> {
    let tokens = JoinTokens { enrolment, broker: address, authority: broker.authority.fingerprint() };
    let (token, _) = tokens.issue(&broker.domain, None, admin, OPERATOR_TOKEN_LIFE).await?;
    Ok(token)
}

/// Writes what auditors pin.
fn publish(config: &Config, keys: &KeySet, authority_pem: &str) -> Result<(), InitError> {
    let directory = config.public_dir();
    let io = |path: PathBuf| |source| InitError::Io { path, source };
    file::create_private_dir(&directory).map_err(io(directory.clone()))?;
    publish_keys(config, keys).map_err(io(directory.clone()))?;
    let path = directory.join("authority.pem");
    file::replace(&path, authority_pem.as_bytes()).map_err(io(path.clone()))
}

/// Writes the domain's public keys for those who pin them.
pub(crate) fn publish_keys(config: &Config, keys: &KeySet) -> io::Result<()> {
    file::replace(&config.public_dir().join("keys.txt"), format!("{}\n", keys.to_text()).as_bytes())
}
