//! From what the broker forwards to an invocation that may be done.

use std::sync::Arc;

use countersign_protocol::{
    capability::{Arguments, Request},
    digest::{Digest, tagged_hash},
    id::InvocationId,
    limits::{CLOCK_SKEW_MS, RESULT_RETENTION_MS},
    payload::Payload,
    refusal::{Reason, Refusal},
    signed::Signed,
    time::{Lifetime, Timestamp},
    token::{Permit, Presentation, Proof, Via},
    trace_context::TraceContext,
};
use countersign_wire::v1;

use super::Invocation;
use crate::{
    agent::Agent,
    error::{About, Error, deceived},
};

/// An invocation with what its receipt and its memory need.
pub(super) struct Verified {
    pub(super) invocation: Invocation,
    /// The holder's proof,
    pub(super) said: Proof,
    /// and its digest.
    pub(super) proof: Digest,
    /// What makes a later one with the same id the same invocation.
    pub(super) fingerprint: Digest,
}

/// Verifies token, activation and proof, all from the bytes on and by the domain's keys: the broker's
/// word that it did so counts for nothing.
pub(super) fn verify(agent: &Agent, message: v1::ServeResponse) -> Result<Verified, Error> {
    verify_via(agent, message, Via::Broker)
}

/// The same for one whose body and result come in chunks.
pub(super) fn verify_stream(agent: &Agent, message: v1::ServeResponse) -> Result<Verified, Error> {
    verify_via(agent, message, Via::Stream)
}

fn verify_via(agent: &Agent, message: v1::ServeResponse, via: Via) -> Result<Verified, Error> {
    let bad = |why: String| deceived(About::Chain, why);
    let chain = agent.open_chain(message.token, &message.activation)?;
    let signed = Signed::from_bytes(&message.proof).map_err(|error| bad(error.to_string()))?;
    let claimed: Proof = signed.peek_unverified().map_err(|error| bad(error.to_string()))?;
    let arguments = match message.arguments.as_slice() {
        [] => Arguments::new(Vec::new()).map_err(|error| bad(error.to_string()))?,
        bytes => Arguments::from_bytes(bytes).map_err(|error| bad(error.to_string()))?,
    };
    // What is to be done stands in the proof and nowhere else.
    let (callee, action, resource) = (claimed.callee, claimed.action, claimed.resource);
    let request = Request { callee, action, resource, arguments };
    let now = agent.now();
    let presented = Presentation { proof: &signed, request: &request, body: &message.body };
    let permit = chain.permit(&presented, now).map_err(|refusal| bad(refusal.to_string()))?;
    check_ours(agent, &permit, &message.invocation_id, via, now)
        .map_err(|refusal| bad(refusal.to_string()))?;
    let deadline = Timestamp::new(message.deadline_ms).ok_or_else(|| bad("it has no deadline".into()))?;
    let fingerprint = fingerprint(permit.proof());
    let id = permit.proof().invocation_id;
    let chain = Arc::new(chain);
    let trace = TraceContext::read(&message.traceparent, &message.tracestate);
    let invocation = Invocation { id, chain, request, body: message.body, deadline, trace };
    let (said, proof) = (permit.proof().clone(), permit.proof_digest());
    Ok(Verified { invocation, said, proof, fingerprint })
}

/// The invocation is for this callee, came as its proof says, and is young enough that this callee
/// would remember having done it.
fn check_ours(agent: &Agent, permit: &Permit, named: &str, via: Via, now: Timestamp) -> Result<(), Refusal> {
    use countersign_protocol::require;
    let proof = permit.proof();
    let own = proof.callee == *agent.instance().principal();
    require!("API-080", own, Reason::AudienceMismatch, "It is for {}.", proof.callee);
    let through = proof.via == via;
    require!("API-081", through, Reason::ProofInvalid, "It is for another way than it came.");
    let same = proof.invocation_id.to_string() == named;
    require!("API-082", same, Reason::ProofInvalid, "It is for another invocation.");
    let young = is_young(proof.invocation_id, now);
    require!("API-083", young, Reason::InvocationIdStale, "Its id is of another time.");
    Ok(())
}

fn is_young(id: InvocationId, now: Timestamp) -> bool {
    let ahead = now.plus(Lifetime::from_millis(CLOCK_SKEW_MS));
    id.time().is_some_and(|made| made <= ahead && now < made.plus(Lifetime::from_millis(RESULT_RETENTION_MS)))
}

/// Everything but nonce, times and channel, which a retry has anew.
fn fingerprint(proof: &Proof) -> Digest {
    let tag = match proof.via {
        Via::Broker | Via::Direct => "countersign served v1",
        Via::Stream => "countersign served stream v1",
    };
    Digest::from_bytes(tagged_hash(
        tag,
        &[
            proof.chain_id.as_bytes(),
            proof.caller.as_str().as_bytes(),
            proof.action.as_str().as_bytes(),
            proof.resource.as_str().as_bytes(),
            proof.arguments.as_bytes(),
        ],
    ))
}
