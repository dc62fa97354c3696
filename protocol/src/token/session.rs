//! From a verified chain to a session under it, and to each use within.

use super::{permit::ActiveToken, table::Table};
use crate::{
    capability::{Arguments, Request},
    digest::{ChainId, Digest, SpkiHash},
    limits::{CLOCK_SKEW_MS, PROOF_MAX_MS},
    name::PrincipalId,
    refusal::{Reason, Refusal},
    require,
    session::{SessionOpening, SessionRequest},
    signed::Signed,
    time::{Lifetime, Timestamp},
};

/// A session that opening and chain allow. Only [`ActiveToken::permit_session`] makes one.
#[derive(Clone, Debug)]
pub struct SessionPermit {
    chain: Vec<ChainId>,
    opening: SessionOpening,
    digest: Digest,
    table: Table,
}

/// A request within a session that every link of the chain allows. Only [`SessionPermit::permit`] makes one.
#[derive(Clone, Debug)]
pub struct SessionUse {
    request: SessionRequest,
    wanted: Request,
}

impl ActiveToken {
    /// Decides whether a session may be opened: the holder's one proof, then every link's time and
    /// audience. Whether what is asked within is allowed, each request is decided for itself.
    pub fn permit_session(&self, signed: &Signed, now: Timestamp) -> Result<SessionPermit, Refusal> {
        let opening = self.recheck_session(signed, now)?;
        self.token().table().check_opening(&opening.callee, now)?;
        Ok(SessionPermit {
            chain: self.token().links().map(|link| link.chain_id).collect(),
            opening,
            digest: signed.digest(),
            table: self.token().table().clone(),
        })
    }

    /// Opens the opening with the leaf holder's key and holds it against the chain and the time.
    pub fn recheck_session(&self, signed: &Signed, now: Timestamp) -> Result<SessionOpening, Refusal> {
        let (token, invalid) = (self.token(), Reason::ProofInvalid);
        let holder = &token.leaf().holder;
        let opening: SessionOpening = signed
            .open(&[holder.key])
            .map_err(|error| Refusal::new("SES-010", invalid, format!("Signature: {error}.")))?;
        require!("SES-011", opening.domain == token.grant().domain, invalid, "It is for another domain.");
        require!("SES-011", opening.chain_id == token.chain_id(), invalid, "It is for another chain.");
        let activated = opening.activation_leaf == self.activation().leaf;
        require!("SES-011", activated, invalid, "It names another activation.");
        require!("SES-011", opening.caller == holder.instance, invalid, "It names another caller.");
        opening.extensions.check()?;
        check_time(&opening, now)?;
        Ok(opening)
    }

    /// Decides a use of the past within a session, as far as the ledger recorded it. Gives whether no
    /// link asks about arguments, which are not in the ledger.
    pub fn recheck_request(
        &self,
        callee: &PrincipalId,
        request: &SessionRequest,
        then: Timestamp,
    ) -> Result<bool, Refusal> {
        let SessionRequest { action, resource, .. } = request;
        self.token().table().decide_of_the_past(callee, action, resource, then)
    }
}

fn check_time(opening: &SessionOpening, now: Timestamp) -> Result<(), Refusal> {
    let (issued, expires) = (opening.issued, opening.expires);
    let short = issued < expires && expires.since(issued) <= Lifetime::from_millis(PROOF_MAX_MS);
    require!("SES-012", short, Reason::ProofExpired, "It may live {PROOF_MAX_MS} ms at most.");
    let latest = now.plus(Lifetime::from_millis(CLOCK_SKEW_MS));
    require!("SES-012", issued <= latest, Reason::ProofExpired, "It is issued at {issued}, now is {now}.");
    require!("SES-012", now < expires, Reason::ProofExpired, "It expired at {expires}, now is {now}.");
    Ok(())
}

impl SessionPermit {
    /// The chain ids from the grant to the leaf.
    pub fn chain(&self) -> &[ChainId] {
        &self.chain
    }

    /// What the holder signed.
    pub fn opening(&self) -> &SessionOpening {
        &self.opening
    }

    /// Names the signed opening.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Holds the opening against the channel on which it arrived (SES-013).
    pub fn check_channel(&self, channel: SpkiHash) -> Result<(), Refusal> {
        check_channel(&self.opening, channel)
    }

    /// Decides one request: arguments and body are those that it names, and every link allows it by the
    /// table. Revocation and budget are the ledger's to decide.
    pub fn permit(
        &self,
        request: SessionRequest,
        arguments: Arguments,
        body: &[u8],
        now: Timestamp,
    ) -> Result<SessionUse, Refusal> {
        let same = Arguments::digest(&arguments, body) == request.arguments;
        require!("SES-035", same, Reason::ProofInvalid, "The arguments or the body differ.");
        let (action, resource) = (request.action.clone(), request.resource.clone());
        let wanted = Request { callee: self.opening.callee.clone(), action, resource, arguments };
        self.table.decide(&wanted, now)?;
        Ok(SessionUse { request, wanted })
    }
}

pub(crate) fn check_channel(opening: &SessionOpening, channel: SpkiHash) -> Result<(), Refusal> {
    let own = opening.channel == channel;
    require!("SES-013", own, Reason::ProofInvalid, "It is bound to another channel.");
    Ok(())
}

impl SessionUse {
    /// The request as it is linked.
    pub fn request(&self) -> &SessionRequest {
        &self.request
    }

    /// What is to be done.
    pub fn into_wanted(self) -> Request {
        self.wanted
    }
}
