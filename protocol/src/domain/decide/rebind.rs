//! Whether a fresh instance may take a chain over from another one of its principal.

use super::{Actor, Context, Decision, check_issued, open_own};
use crate::{
    contract::{Cell, Input, Rebind, RebindConsent, RebindRequest, next},
    digest::ChainId,
    domain::{Chain, ChainRebound, Event, Instance, RebindAsked, State},
    extension::Extensions,
    name::InstanceId,
    refusal::{Reason, Refusal},
    require, require_some,
    signed::Signed,
    token::{Holder, RebindTerms, UnverifiedToken, append_rebind},
};

const NOT_ALLOWED: Reason = Reason::RebindNotAllowed;

/// What a request or a consent comes to.
#[derive(Debug)]
pub(crate) enum Rebinding {
    /// It was decided before.
    Known,
    /// The grantor has to consent.
    Asks,
    /// These terms are to be signed.
    Takes {
        /// What the new holder signed.
        request: Signed,
        /// The token up to the hop behind which the rebind stands.
        hop: Vec<u8>,
        /// What the domain signs.
        terms: Box<RebindTerms>,
    },
}

impl State {
    /// Takes a chain over, where the contract leaves it to the domain; where it does not, asks for the
    /// grantor's consent.
    pub fn decide_rebind(&self, context: &Context<'_>, actor: &Actor, signed: &Signed) -> Decision {
        let decided = self.rebinding(context, actor, signed)?;
        self.rebound(context, decided, signed)
    }

    /// The grantor's word for a chain to be taken over as it was asked.
    pub fn decide_rebind_consent(&self, context: &Context<'_>, actor: &Actor, signed: &Signed) -> Decision {
        let decided = self.consenting(context, actor, signed)?;
        self.rebound(context, decided, signed)
    }

    fn rebound(&self, context: &Context<'_>, decided: Rebinding, signed: &Signed) -> Decision {
        let (request, hop, terms) = match decided {
            Rebinding::Known => return Ok(Vec::new()),
            Rebinding::Asks => {
                return Ok(vec![Event::RebindAsked(RebindAsked { request: signed.clone() })]);
            }
            Rebinding::Takes { request, hop, terms } => (request, hop, terms),
        };
        let hop = UnverifiedToken::from_bytes(hop).verify(self.domain_keys()?)?;
        let token = append_rebind(&hop, &terms, context.rebind_key);
        let verified = token.verify(self.domain_keys()?)?;
        let (chain_id, token) = (verified.chain_id(), token.into_bytes());
        Ok(vec![Event::ChainRebound(ChainRebound { request, chain_id, token })])
    }

    /// What a request comes to; with no key of the domain's, so that an audit can ask the same.
    pub(crate) fn rebinding(
        &self,
        context: &Context<'_>,
        actor: &Actor,
        signed: &Signed,
    ) -> Result<Rebinding, Refusal> {
        self.check_clock(context.now)?;
        let sender = self.admitted(actor)?;
        let request: RebindRequest = open_own(signed, sender.statement.key)?;
        context.check_domain(&request.domain)?;
        request.extensions.check()?;
        require!("CTR-040", request.sender == actor.instance, Reason::ChannelMismatch);
        if let Some((digest, _)) = self.revocation(&request.request_id) {
            require!("CTR-041", digest == signed.digest(), Reason::IdAlreadyUsed);
            return Ok(Rebinding::Known);
        }
        check_issued(request.issued, context.now)?;
        let live = self.is_live(&actor.instance, context.now);
        require!("CTR-048", live, Reason::CertificateExpired, "The new holder has to renew it first.");
        let chain = self.check_counted(context, sender, &request)?;
        if chain.rebind == Rebind::GrantorConsent {
            return Ok(Rebinding::Asks);
        }
        let terms = terms(chain, sender, None);
        Ok(Rebinding::Takes { request: signed.clone(), hop: self.hop_token(chain), terms })
    }

    /// What a consent comes to.
    pub(crate) fn consenting(
        &self,
        context: &Context<'_>,
        actor: &Actor,
        signed: &Signed,
    ) -> Result<Rebinding, Refusal> {
        self.check_clock(context.now)?;
        let grantor = self.admitted(actor)?;
        let consent: RebindConsent = open_own(signed, grantor.statement.key)?;
        context.check_domain(&consent.domain)?;
        consent.extensions.check()?;
        require!("CTR-050", consent.sender == actor.instance, Reason::ChannelMismatch);
        if let Some((digest, _)) = self.revocation(&consent.request_id) {
            require!("CTR-052", digest == signed.digest(), Reason::IdAlreadyUsed);
            return Ok(Rebinding::Known);
        }
        check_issued(consent.issued, context.now)?;
        let asked = self.asked_of(&consent).filter(|(chain, ..)| chain.grantor == actor.instance);
        let (chain, request, asker) = require_some!("CTR-051", asked, Reason::NotFound);
        let statement = &asker.statement;
        let holder = Holder { instance: statement.instance.clone(), key: statement.key };
        let same = (&consent.from, &consent.holder) == (&chain.holder, &holder);
        let same = same && consent.evidence == statement.evidence;
        require!("CTR-051", same, Reason::NotFound, "Nobody asked for just that.");
        let live = self.is_live(&statement.instance, context.now);
        require!("CTR-048", live, Reason::CertificateExpired, "The new holder has to renew it first.");
        let opened: RebindRequest = request.peek_unverified().map_err(super::not_opened)?;
        self.check_counted(context, asker, &opened)?;
        let terms = terms(chain, asker, Some(signed.clone()));
        Ok(Rebinding::Takes { request: request.clone(), hop: self.hop_token(chain), terms })
    }

    /// The token up to the hop that grantor and first holder signed.
    fn hop_token(&self, chain: &Chain) -> Vec<u8> {
        let hop = chain.rebound.and_then(|hop| self.chain(&hop));
        hop.unwrap_or(chain).token.clone()
    }

    /// The chain that a consent is about, what was asked, and by whom.
    fn asked_of(&self, consent: &RebindConsent) -> Option<(&Chain, &Signed, &Instance)> {
        let (contract, _) = self.chain(&consent.hop)?.contract?;
        let chain = self.chain(&self.contract(&contract)?)?;
        let request = chain.asked.as_ref()?;
        let opened: RebindRequest = request.peek_unverified().ok()?;
        Some((chain, request, self.instance(&opened.sender)?))
    }

    /// The chain, if that instance is one to take it over now, and knows what ends with it.
    fn check_counted(
        &self,
        context: &Context<'_>,
        new: &Instance,
        request: &RebindRequest,
    ) -> Result<&Chain, Refusal> {
        let chain = self.check_takes_over(context, new, request.chain)?;
        let chains = chain.live;
        require!(
            "CTR-047",
            chains == request.chains,
            Reason::PreviewStale,
            "It is about {chains}, not {}.",
            request.chains
        );
        Ok(chain)
    }

    /// The chain, if that instance is one to take it over now.
    fn check_takes_over(
        &self,
        context: &Context<'_>,
        new: &Instance,
        id: ChainId,
    ) -> Result<&Chain, Refusal> {
        let chain = require_some!("CTR-042", self.chain(&id), Reason::NotFound);
        let principal = new.statement.instance.principal();
        require!("CTR-042", chain.holder.principal() == principal, NOT_ALLOWED, "It is another's.");
        require!("CTR-043", chain.rebind != Rebind::Never, NOT_ALLOWED, "It ends with its holder.");
        self.check_rebindable(context, id)?;
        require!("CTR-045", self.is_fresher(new, chain), NOT_ALLOWED, "Its holder is newer than you.");
        require!("CTR-046", self.runs_the_same(new, &chain.holder), NOT_ALLOWED, "You run something else.");
        Ok(chain)
    }

    /// The table has a transition for every link from this one up, and none is past its end.
    fn check_rebindable(&self, context: &Context<'_>, id: ChainId) -> Result<(), Refusal> {
        for (_, link) in self.path(id) {
            if let Cell::Refuse(reason) = next(link.state, Input::PartyRebind) {
                let detail = format!("A link is {}.", link.state.name());
                return Err(Refusal::new("CTR-044", reason, detail));
            }
            let within = context.now < link.rights.not_after;
            require!("CTR-044", within, Reason::ContractNotActive, "A link is past its end.");
        }
        Ok(())
    }

    /// Whether an instance was attested after the link had got its holder, and after whoever asked last.
    fn is_fresher(&self, new: &Instance, chain: &Chain) -> bool {
        let asked = chain.asked.as_ref().and_then(|asked| asked.peek_unverified::<RebindRequest>().ok());
        let asked = asked.and_then(|asked| self.instance(&asked.sender));
        chain.leaf < new.admitted && asked.is_none_or(|asked| asked.admitted <= new.admitted)
    }

    /// Another model, prompt or tool set is another party.
    fn runs_the_same(&self, new: &Instance, holder: &InstanceId) -> bool {
        let old = self.instance(holder);
        old.is_some_and(|old| old.statement.configuration == new.statement.configuration)
    }

    /// Whether an instance could take that chain over now, or ask for it.
    pub fn may_rebind(&self, context: &Context<'_>, new: &Instance, id: ChainId) -> bool {
        self.check_takes_over(context, new, id).is_ok()
    }
}

fn terms(chain: &Chain, new: &Instance, consent: Option<Signed>) -> Box<RebindTerms> {
    let statement = &new.statement;
    Box::new(RebindTerms {
        from: chain.holder.clone(),
        holder: Holder { instance: statement.instance.clone(), key: statement.key },
        evidence: statement.evidence,
        consent,
        extensions: Extensions::none(),
    })
}
