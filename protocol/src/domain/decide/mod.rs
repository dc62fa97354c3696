//! `decide`: from the state, the time and an input to events, or a refusal.
//!
//! A decision changes nothing. Its events become true when the ledger has them; until then nobody
//! may be told. Where an input was decided before, the decision is empty: the state holds the answer.

mod accept;
mod award;
mod change;
mod grant;
mod identity;
mod invoke;
mod negotiate;
mod offer;
mod rebind;
mod replace;
mod revoke;
mod session;
mod tick;

pub use identity::Attested;
pub(crate) use invoke::Wanted;
pub use invoke::{Begin, End};
pub(crate) use rebind::Rebinding;
pub use session::OpenSession;
pub(crate) use session::WantedSession;

use super::{
    event::Event,
    state::{Instance, Standing, State},
};
use crate::{
    digest::{Digest, SpkiHash},
    key::{PublicKey, SigningKey},
    name::{InstanceId, TrustDomain},
    refusal::{Reason, Refusal},
    require, require_some,
    signed::{NotOpened, Signed, Statement},
    time::{Lifetime, Timestamp},
    trust::KeySet,
};

/// What decisions are made with beside the state: the time, and what the operator set.
#[derive(Debug)]
pub struct Context<'a> {
    /// The broker's time.
    pub now: Timestamp,
    /// The operator's policy.
    pub policy: &'a Policy,
    /// The domain's capability key and its number, for grants.
    pub capability_key: (u32, &'a SigningKey),
    /// The domain's rebind key.
    pub rebind_key: &'a SigningKey,
    /// The trust domain.
    pub domain: &'a TrustDomain,
}

/// What the operator allows. Until a policy engine decides, these rules do.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Who may administer the domain.
    pub admins: Vec<crate::name::PrincipalId>,
    /// Which grants may be issued; none by default.
    pub grant_rules: Vec<GrantRule>,
    /// How long certificates live.
    pub svid_lifetime: Lifetime,
    /// How long a person's certificate lives.
    pub human_svid_lifetime: Lifetime,
    /// Names this policy in the ledger.
    pub digest: Digest,
}

/// A grant that may be issued.
#[derive(Clone, Debug)]
pub struct GrantRule {
    /// For whom.
    pub originator: crate::name::PrincipalId,
    /// To whom.
    pub principal: crate::name::PrincipalId,
    /// At most this, apart from its times.
    pub rights: crate::capability::Rights,
    /// At most this long.
    pub lifetime: Lifetime,
    /// Names the rule in the ledger.
    pub digest: Digest,
}

/// Who is at the other end of the channel.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The instance in its certificate.
    pub instance: InstanceId,
    /// The key of its certificate.
    pub spki: SpkiHash,
}

impl State {
    /// Refuses to decide anything while the clock is behind the ledger (TIM-003).
    fn check_clock(&self, now: Timestamp) -> Result<(), Refusal> {
        let last = self.last_time();
        require!(
            "TIM-003",
            last.is_none_or(|last| last <= now),
            Reason::ClockWentBack,
            "The clock says {now}."
        );
        Ok(())
    }

    /// The live instance behind a channel (IDN-010).
    pub fn admitted(&self, actor: &Actor) -> Result<&Instance, Refusal> {
        let instance = require_some!("IDN-010", self.instance(&actor.instance), Reason::InstanceUnknown);
        require!("IDN-011", instance.standing != Standing::Revoked, Reason::InstanceRevoked);
        require!("IDN-012", instance.standing != Standing::Forked, Reason::InstanceForked);
        require!("IDN-013", instance.statement.spki == actor.spki, Reason::ChannelMismatch);
        Ok(instance)
    }

    pub(super) fn domain_keys(&self) -> Result<&KeySet, Refusal> {
        Ok(require_some!("LOG-004", self.keys(), Reason::LedgerUnavailable, "It has no keys yet."))
    }
}

impl Context<'_> {
    /// Whether that instance acts for an admin.
    pub fn is_admin(&self, instance: &InstanceId) -> bool {
        self.policy.admins.contains(instance.principal())
    }

    fn check_domain(&self, domain: &TrustDomain) -> Result<(), Refusal> {
        require!("API-002", domain == self.domain, Reason::WrongDomain, "It serves {}.", self.domain);
        Ok(())
    }
}

/// Opens a statement that its sender signed with its instance key and sent over its own channel.
fn open_own<T: Statement>(signed: &Signed, key: PublicKey) -> Result<T, Refusal> {
    signed.open(&[key]).map_err(not_opened)
}

fn not_opened(error: NotOpened) -> Refusal {
    match error {
        NotOpened::Malformed(_) | NotOpened::Type => {
            Refusal::new("CONV-010", Reason::PayloadMalformed, format!("{error}."))
        }
        NotOpened::Signers | NotOpened::Signature(_) => {
            Refusal::new("CONV-030", Reason::SignatureInvalid, format!("{error}."))
        }
    }
}

/// A statement's own time may be ahead of the broker's by the skew, and no older than that plus
/// what a request takes (TIM-005).
pub(crate) fn check_issued(issued: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    use crate::limits::CLOCK_SKEW_MS;
    let skew = Lifetime::from_millis(CLOCK_SKEW_MS);
    let near = issued <= now.plus(skew) && now <= issued.plus(skew);
    require!("TIM-005", near, Reason::StatementStale, "It was issued at {issued}, now is {now}.");
    Ok(())
}

/// Events, or nothing where the state already holds the answer.
pub type Decision = Result<Vec<Event>, Refusal>;
