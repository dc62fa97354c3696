//! Issuing grants.

use super::{Actor, Context, Decision, check_issued, open_own};
use crate::{
    digest::Digest,
    domain::{Event, GrantIssued, State},
    extension::Extensions,
    grant::GrantRequest,
    limits::{CHAIN_MAX_DEPTH, GRANT_MAX_MS},
    refusal::{Reason, Refusal},
    require, require_some,
    signed::Signed,
    time::Lifetime,
    token::{Evidence, EvidenceKind, GrantTerms, Holder, mint_grant},
};

impl State {
    /// Issues a grant that its originator signed and a rule allows.
    pub fn decide_grant(&self, context: &Context<'_>, actor: &Actor, signed: &Signed) -> Decision {
        let Some((terms, rule)) = self.decide_terms(context, actor, signed)? else { return Ok(Vec::new()) };
        let (key_id, key) = context.capability_key;
        let token = mint_grant(&terms, key_id, key);
        let verified = token.verify(self.domain_keys()?)?;
        verified.check_granted_at(self.tree().size().next_leaf())?;
        Ok(vec![Event::GrantIssued(GrantIssued {
            request: signed.clone(),
            chain_id: verified.chain_id(),
            token: token.as_bytes().to_vec(),
            rule,
        })])
    }

    /// What the grant says and the rule that allows it; nothing where it was issued before.
    pub(crate) fn decide_terms(
        &self,
        context: &Context<'_>,
        actor: &Actor,
        signed: &Signed,
    ) -> Result<Option<(GrantTerms, Digest)>, Refusal> {
        self.check_clock(context.now)?;
        let originator = self.admitted(actor)?;
        let request: GrantRequest = open_own(signed, originator.statement.key)?;
        context.check_domain(&request.domain)?;
        request.extensions.check()?;
        require!("TOK-050", request.originator == actor.instance, Reason::ChannelMismatch);
        if let Some(chain) = self.grant(&request.grant_id).and_then(|chain| self.chain(&chain)) {
            require!("TOK-051", chain.subject == signed.digest(), Reason::IdAlreadyUsed);
            return Ok(None);
        }
        check_issued(request.issued, context.now)?;
        let (unknown, to) = (Reason::InstanceUnknown, &request.holder);
        let holder = require_some!("TOK-052", self.instance(to), unknown, "The holder is {to}.");
        require!("TOK-052", self.is_live(to, context.now), unknown, "The holder is {to}.");
        let rule = require_some!(
            "TOK-053",
            context.rule_for(&request),
            Reason::GrantNotAllowed,
            "It is for {}.",
            request.holder.principal()
        );
        let terms = GrantTerms {
            domain: request.domain,
            grant_id: request.grant_id,
            originator: request.originator.principal().clone(),
            evidence: Evidence { kind: EvidenceKind::Signed, digest: signed.digest() },
            holder: Holder { instance: request.holder, key: holder.statement.key },
            rights: request.rights,
            extensions: Extensions::none(),
        };
        Ok(Some((terms, rule.digest)))
    }
}

impl Context<'_> {
    /// The first rule that allows everything that is asked for.
    fn rule_for(&self, request: &GrantRequest) -> Option<&super::GrantRule> {
        self.policy.grant_rules.iter().find(|rule| {
            let life = request.rights.not_after.since(self.now);
            let longest = rule.lifetime.min(Lifetime::from_millis(GRANT_MAX_MS));
            // The rule bounds the life by its length; its own times say nothing. A rule stands one
            // link above the grant, which may leave as many delegations as the rule does.
            let mut bound = rule.rights.clone();
            (bound.not_before, bound.not_after) = (request.rights.not_before, request.rights.not_after);
            bound.delegations_left = bound.delegations_left.saturating_add(1);
            rule.originator == *request.originator.principal()
                && rule.principal == *request.holder.principal()
                && self.now < request.rights.not_after
                && life <= longest
                && request.rights.delegations_left as usize <= CHAIN_MAX_DEPTH
                && bound.first_widening(&request.rights).is_none()
        })
    }
}
