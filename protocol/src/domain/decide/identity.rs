//! Joining and staying.

use super::{Actor, Context, Decision, check_issued, open_own};
use crate::{
    digest::{Digest, SpkiHash},
    domain::{
        Event, InstanceAdmitted, InstanceForked, InstanceRenewed, JoinTokenIssued, KeysPublished,
        KeysRotated, Standing, State,
    },
    identity::{InstanceStatement, JoinStatement, RenewStatement},
    limits::{JOIN_TOKEN_MAX_MS, SVID_MAX_MS, SVID_MIN_MS},
    name::{InstanceId, PrincipalId, PrincipalKind, Word},
    refusal::{Reason, Refusal},
    require, require_some,
    signed::Signed,
    time::{Lifetime, Timestamp},
    trust::{KeyRotation, KeySet},
};

/// What an attestor established by itself; never what a process said of itself.
#[derive(Clone, Debug)]
pub struct Attested {
    /// The attestor.
    pub attestor: Word,
    /// Digest of the evidence.
    pub evidence: Digest,
    /// The TLS key whose possession was shown.
    pub spki: SpkiHash,
}

impl State {
    /// The first entry: the domain's keys.
    pub fn decide_keys(&self, context: &Context<'_>, keys: &KeySet) -> Decision {
        self.check_clock(context.now)?;
        require!("LOG-001", self.keys().is_none(), Reason::IdAlreadyUsed, "The domain has keys.");
        context.check_domain(keys.domain())?;
        Ok(vec![Event::KeysPublished(KeysPublished { keys: keys.clone() })])
    }

    /// Other keys from the next leaf on, as the keys in use say.
    pub fn decide_rotation(&self, context: &Context<'_>, rotation: &Signed) -> Decision {
        self.check_clock(context.now)?;
        let keys = self.domain_keys()?;
        let (_, leaf) = keys.follow(rotation)?;
        let next = self.tree().size().next_leaf();
        require!("IDN-123", leaf == next, Reason::StatementStale, "The next leaf is {next}.");
        let opened: KeyRotation = rotation.peek_unverified().map_err(super::not_opened)?;
        let here = opened.restored.is_none_or(|from| from.root == self.tree().root());
        require!("IDN-126", here, Reason::LogInconsistent, "It goes on from another root.");
        Ok(vec![Event::KeysRotated(KeysRotated { rotation: rotation.clone() })])
    }

    /// A join token, by an admin or, at `init`, by the operator.
    pub fn decide_join_token(
        &self,
        context: &Context<'_>,
        issuer: Option<&Actor>,
        secret: Digest,
        principal: &PrincipalId,
        expires: Timestamp,
    ) -> Decision {
        self.check_clock(context.now)?;
        if let Some(actor) = issuer {
            self.admitted(actor)?;
            require!("IDN-020", context.is_admin(&actor.instance), Reason::AdminRequired);
        }
        context.check_domain(&principal.domain())?;
        // Whoever is certified under the broker's name is believed to be the broker.
        require!("IDN-046", *principal != context.domain.broker(), Reason::IdAlreadyUsed);
        let latest = context.now.plus(Lifetime::from_millis(JOIN_TOKEN_MAX_MS));
        let lives = context.now < expires && expires <= latest;
        require!("IDN-021", lives, Reason::LimitExceeded, "It may live {JOIN_TOKEN_MAX_MS} ms at most.");
        require!("IDN-022", self.join_token(&secret).is_none(), Reason::IdAlreadyUsed);
        Ok(vec![Event::JoinTokenIssued(JoinTokenIssued {
            secret,
            principal: principal.clone(),
            expires,
            issued_by: issuer.map(|actor| actor.instance.clone()),
        })])
    }

    /// Admits a process that an attestor has seen. The statement is signed with the key in it: that
    /// shows possession, the attestor shows the right to the name.
    pub fn decide_join(&self, context: &Context<'_>, join: &Signed, attested: &Attested) -> Decision {
        self.check_clock(context.now)?;
        let malformed = |error: crate::signed::NotOpened| super::not_opened(error);
        let claimed: JoinStatement = join.peek_unverified().map_err(malformed)?;
        let statement: JoinStatement = open_own(join, claimed.key)?;
        context.check_domain(&statement.domain)?;
        statement.extensions.check()?;
        let reason = Reason::JoinRefused;
        require!("IDN-023", statement.evidence == attested.evidence, reason);
        let token = require_some!("IDN-024", self.join_token(&attested.evidence), reason);
        require!("IDN-025", context.now < token.expires, reason);
        require!("IDN-026", token.principal == *statement.instance.principal(), reason);
        if let Some(used) = token.used_by {
            // The reply may have been lost: the same statement gets the same answer, however late.
            require!("IDN-027", used == join.digest(), reason);
            return Ok(Vec::new());
        }
        check_issued(statement.issued, context.now)?;
        require!("IDN-028", self.instance(&statement.instance).is_none(), Reason::IdAlreadyUsed);
        require!("IDN-029", statement.spki == attested.spki, reason);
        let statement = InstanceStatement {
            expires: context.svid_expiry(statement.instance.principal()),
            instance: statement.instance,
            key: statement.key,
            spki: statement.spki,
            configuration: statement.configuration,
            attestor: attested.attestor.clone(),
            evidence: attested.evidence,
            generation: 1,
        };
        Ok(vec![Event::InstanceAdmitted(InstanceAdmitted { statement, join: join.clone() })])
    }

    /// Gives an instance its next certificate. A second process with the same identity is found
    /// when it renews from a generation that is no longer the newest.
    pub fn decide_renew(&self, context: &Context<'_>, actor: &Actor, renewal: &Signed) -> Decision {
        self.check_clock(context.now)?;
        let instance = self.admitted(actor)?;
        let known = &instance.statement;
        let statement: RenewStatement = open_own(renewal, known.key)?;
        context.check_domain(&statement.domain)?;
        statement.extensions.check()?;
        require!("IDN-030", statement.instance == actor.instance, Reason::ChannelMismatch);
        if instance.request == renewal.digest() {
            return Ok(Vec::new());
        }
        check_issued(statement.issued, context.now)?;
        require!("IDN-031", statement.spki == known.spki, Reason::ChannelMismatch, "The TLS key changed.");
        require!(
            "IDN-032",
            statement.configuration == known.configuration,
            Reason::ChannelMismatch,
            "Another configuration is another instance."
        );
        if statement.generation < known.generation {
            let fork = InstanceForked { instance: actor.instance.clone(), renewal: renewal.clone() };
            return Ok(vec![Event::InstanceForked(fork)]);
        }
        require!("IDN-034", statement.generation == known.generation, Reason::OutOfSequence);
        let statement = InstanceStatement {
            generation: known.generation.saturating_add(1),
            expires: context.svid_expiry(actor.instance.principal()),
            ..known.clone()
        };
        Ok(vec![Event::InstanceRenewed(InstanceRenewed { statement, renewal: renewal.clone() })])
    }

    /// Whether an instance may act at that time, its certificate included: one that has stopped
    /// renewing may be a process that is gone.
    pub fn is_live(&self, instance: &InstanceId, now: Timestamp) -> bool {
        self.instance(instance).is_some_and(|it| it.standing == Standing::Live && now < it.statement.expires)
    }
}

impl Context<'_> {
    fn svid_expiry(&self, principal: &PrincipalId) -> Timestamp {
        let lifetime = match principal.kind() {
            PrincipalKind::Human => self.policy.human_svid_lifetime,
            PrincipalKind::Agent | PrincipalKind::Service => self.policy.svid_lifetime,
        };
        self.now.plus(Lifetime::from_millis(lifetime.as_millis().clamp(SVID_MIN_MS, SVID_MAX_MS)))
    }
}

/// Refuses what no instance of this domain could sign.
pub(super) fn of_domain(context: &Context<'_>, principal: &PrincipalId) -> Result<(), Refusal> {
    context.check_domain(&principal.domain())
}
