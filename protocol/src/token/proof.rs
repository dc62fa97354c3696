//! The holder's proof: what makes a token usable, once, for one request.

use super::verify::Token;
use crate::{
    capability::{Arguments, Request, ResourceName},
    code_enum,
    digest::{ChainId, Digest, SpkiHash},
    extension::Extensions,
    id::InvocationId,
    ledger::LeafIndex,
    limits::{CLOCK_SKEW_MS, PROOF_MAX_MS},
    name::{InstanceId, PrincipalId, TrustDomain, Word},
    payload,
    refusal::{Reason, Refusal},
    require,
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
};

/// Sixteen random bytes that are used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// Draws a new one.
    pub fn new(rng: &mut dyn rand_core::RngCore) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Nonce {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

crate::blob!(Nonce);

code_enum! {
    /// Which way an invocation takes.
    pub enum Via {
        /// Through the broker of the chain's home domain, which mediates it.
        Broker = 1,
        /// Straight to the callee, where the contract allows that.
        Direct = 2,
        /// Through the broker as well, with body and result in chunks that are signed one by one.
        Stream = 3,
    }
}

payload! {
    /// Signed by the leaf's holder over everything that the request is.
    pub struct Proof {
        /// The chain's home.
        1 => pub domain: TrustDomain,
        /// The invocation; a retry keeps it.
        2 => pub invocation_id: InvocationId,
        /// The chain that is used.
        3 => pub chain_id: ChainId,
        /// The leaf that activated it.
        4 => pub activation_leaf: LeafIndex,
        /// Who calls.
        5 => pub caller: InstanceId,
        /// Who is called.
        6 => pub callee: PrincipalId,
        /// What is to be done,
        7 => pub action: Word,
        /// to what,
        8 => pub resource: ResourceName,
        /// with which arguments and body: [`Arguments::digest`].
        9 => pub arguments: Digest,
        /// Used once.
        10 => pub nonce: Nonce,
        /// When it was signed.
        11 => pub issued: Timestamp,
        /// From when on it is void.
        12 => pub expires: Timestamp,
        /// Which way it goes.
        13 => pub via: Via,
        /// The TLS key of the caller's end of the channel.
        14 => pub channel: SpkiHash,
        /// Growth.
        15 => pub extensions: Extensions,
    }
}

impl Statement for Proof {
    const TYPE: &'static str = "application/vnd.countersign.proof.v1";
}

impl Proof {
    /// Holds the proof against the channel on which it arrived.
    pub(crate) fn check_channel(&self, via: Via, channel: SpkiHash) -> Result<(), Refusal> {
        let invalid = Reason::ProofInvalid;
        require!("CHN-009", self.via == via, invalid, "It is for another way than it came.");
        require!("CHN-009", self.channel == channel, invalid, "It is bound to another channel.");
        Ok(())
    }
}

/// One use of a chain, as a verifier received it.
#[derive(Clone, Debug)]
pub struct Presentation<'a> {
    /// The signed [`Proof`].
    pub proof: &'a Signed,
    /// What the caller wants done.
    pub request: &'a Request,
    /// The opaque body that goes with the arguments.
    pub body: &'a [u8],
}

/// Opens the proof with the leaf holder's key and holds it against the request, field by field.
pub(super) fn check(
    token: &Token,
    activation_leaf: LeafIndex,
    presented: &Presentation<'_>,
    now: Timestamp,
) -> Result<Proof, Refusal> {
    let proof = check_holder(token, activation_leaf, presented.proof, now)?;
    let request = presented.request;
    let invalid = Reason::ProofInvalid;
    require!("TOK-043", proof.callee == request.callee, invalid, "It names another callee.");
    require!("TOK-043", proof.action == request.action, invalid, "It names another action.");
    require!("TOK-043", proof.resource == request.resource, invalid, "It names another resource.");
    let digest = Arguments::digest(&request.arguments, presented.body);
    require!("TOK-043", proof.arguments == digest, invalid, "The arguments or the body differ.");
    Ok(proof)
}

/// Opens the proof with the leaf holder's key and holds it against the chain and the time.
pub(super) fn check_holder(
    token: &Token,
    activation_leaf: LeafIndex,
    signed: &Signed,
    now: Timestamp,
) -> Result<Proof, Refusal> {
    let holder = &token.leaf().holder;
    let proof: Proof = signed
        .open(&[holder.key])
        .map_err(|error| Refusal::new("TOK-040", Reason::ProofInvalid, format!("Signature: {error}.")))?;
    let invalid = Reason::ProofInvalid;
    require!("TOK-041", proof.domain == token.grant().domain, invalid, "It is for another domain.");
    require!("TOK-041", proof.chain_id == token.chain_id(), invalid, "It is for another chain.");
    require!("TOK-042", proof.activation_leaf == activation_leaf, invalid, "It names another activation.");
    require!("TOK-041", proof.caller == holder.instance, invalid, "It names another caller.");
    proof.extensions.check()?;
    check_time(&proof, now)?;
    Ok(proof)
}

fn check_time(proof: &Proof, now: Timestamp) -> Result<(), Refusal> {
    let life = proof.expires.since(proof.issued);
    let expired = Reason::ProofExpired;
    require!(
        "TOK-044",
        proof.issued < proof.expires && life <= Lifetime::from_millis(PROOF_MAX_MS),
        expired,
        "It may live {PROOF_MAX_MS} ms at most."
    );
    let latest = now.plus(Lifetime::from_millis(CLOCK_SKEW_MS));
    require!("TOK-045", proof.issued <= latest, expired, "It is issued at {}, now is {now}.", proof.issued);
    require!("TOK-046", now < proof.expires, expired, "It expired at {}, now is {now}.", proof.expires);
    Ok(())
}
