//! Using a chain.

use countersign_protocol::{
    capability::{Amount, Arguments, Request, ResourceName},
    digest::{ChainId, Digest},
    extension::Extensions,
    id::InvocationId,
    ledger::LeafIndex,
    limits::BODY_MAX_BYTES,
    name::{PrincipalId, Word},
    payload::Payload,
    receipt::Receipt,
    signed::Signed,
    token::{Nonce, Proof, Via},
    trace_context::TraceContext,
};
use countersign_wire::v1::{self, mediation_client::MediationClient};
use tonic::metadata::{MetadataMap, MetadataValue};

use crate::{
    agent::Agent,
    clock::entropy,
    connection::{Pauses, once},
    error::{About, CallerFault, Error, deceived},
    held::Held,
    limits::{INVOKE_MAX, MESSAGE_MAX_BYTES, PROOF_LIFE},
};

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Call {
    /// By whom.
    pub callee: PrincipalId,
    /// What.
    pub action: Word,
    /// To what.
    pub resource: ResourceName,
    /// With which typed arguments.
    pub arguments: Arguments,
    /// An opaque body that goes with them. It is forwarded and never logged.
    pub body: Vec<u8>,
}

/// What came of it: the callee's verified word.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The invocation; [`Agent::explain`] takes it.
    pub invocation: InvocationId,
    /// How it ended, what it cost, and who did it.
    pub receipt: Receipt,
    /// The receipt as the callee signed it.
    pub signed_receipt: Signed,
    /// The result; its digest is in the receipt.
    pub body: Vec<u8>,
    /// The leaf that permitted it.
    pub intent: LeafIndex,
    /// The leaf that ended it.
    pub result: LeafIndex,
}

impl Agent {
    /// Has something done under a chain that this instance holds. Whether the chain allows it is the
    /// broker's to decide, and the callee's.
    ///
    /// A lost reply is asked for again under the same invocation id, so nothing is done twice.
    pub async fn invoke(&self, held: &Held, call: Call) -> Result<Answer, Error> {
        self.check_holds(held)?;
        if call.body.len() > BODY_MAX_BYTES {
            return Err(CallerFault::TooLarge { what: "the body", limit: BODY_MAX_BYTES as u64 }.into());
        }
        let mut invoking =
            Invoking { id: InvocationId::new(self.now(), &mut entropy()), held, call, proofs: Vec::new() };
        let trace = self.inner.trace.as_ref().and_then(|trace| trace());
        let mut pauses = Pauses::default();
        loop {
            self.check_standing()?;
            let request = invoking.request(self);
            let channel = self.inner.connection.channel();
            let reply = Box::pin(once("have it done", INVOKE_MAX, request, async |mut request| {
                trace.iter().for_each(|trace| state(trace, request.metadata_mut()));
                let client = MediationClient::new(channel).max_decoding_message_size(MESSAGE_MAX_BYTES);
                { client }.invoke(request).await
            }));
            match reply.await {
                Ok(reply) => return invoking.expected().check(self, reply).await,
                Err(error) => pauses.wait_or_give_up(error).await?,
            }
        }
    }
}

impl Agent {
    /// A fresh proof for one use of a chain on that way.
    pub(crate) fn holders_proof(
        &self,
        held: &Held,
        invocation_id: InvocationId,
        wanted: Request,
        body: &[u8],
        via: Via,
    ) -> Proof {
        let now = self.now();
        Proof {
            domain: self.domain().clone(),
            invocation_id,
            chain_id: held.chain_id(),
            activation_leaf: held.active().activation().leaf,
            caller: self.instance().clone(),
            callee: wanted.callee,
            action: wanted.action,
            resource: wanted.resource,
            arguments: wanted.arguments.digest(body),
            nonce: Nonce::new(&mut entropy()),
            issued: now,
            expires: now.plus(PROOF_LIFE),
            via,
            channel: self.inner.identity.key().spki_hash(),
            extensions: Extensions::none(),
        }
    }

    /// A chain is of use to its holder alone.
    pub(crate) fn check_holds(&self, held: &Held) -> Result<(), Error> {
        let holder = &held.holder().instance;
        if holder == self.instance() {
            return Ok(());
        }
        Err(CallerFault::NotTheHolder { holder: holder.to_string() }.into())
    }
}

/// Says which trace a call belongs to.
pub(crate) fn state(trace: &TraceContext, metadata: &mut MetadataMap) {
    for (name, text) in [("traceparent", trace.traceparent()), ("tracestate", trace.tracestate())] {
        // Both are printable.
        if let Ok(value) = MetadataValue::try_from(text)
            && !text.is_empty()
        {
            metadata.insert(name, value);
        }
    }
}

/// An invocation under way.
struct Invoking<'a> {
    id: InvocationId,
    held: &'a Held,
    call: Call,
    /// Digests of the proofs that were sent: the receipt is for one of them.
    proofs: Vec<Digest>,
}

impl Invoking<'_> {
    fn expected(self) -> Expected {
        Expected {
            invocation: self.id,
            chain: self.held.chain_id(),
            proofs: self.proofs,
            callee: self.call.callee,
            per_call: self.held.rights().budget.per_call,
        }
    }

    /// One try: the same invocation under a fresh proof.
    fn request(&mut self, agent: &Agent) -> v1::InvokeRequest {
        let call = &self.call;
        let wanted = Request {
            callee: call.callee.clone(),
            action: call.action.clone(),
            resource: call.resource.clone(),
            arguments: call.arguments.clone(),
        };
        let proof = agent.holders_proof(self.held, self.id, wanted, &call.body, Via::Broker);
        let signed = agent.sign(&proof);
        self.proofs.push(signed.digest());
        v1::InvokeRequest {
            trust_domain: agent.domain().to_string(),
            token: self.held.token().as_bytes().to_vec(),
            proof: signed.to_bytes(),
            arguments: call.arguments.to_bytes(),
            body: call.body.clone(),
        }
    }
}

/// What an answer has to be for.
pub(crate) struct Expected {
    pub(crate) invocation: InvocationId,
    pub(crate) chain: ChainId,
    /// Digests of the proofs that were sent: the receipt is for one of them.
    pub(crate) proofs: Vec<Digest>,
    pub(crate) callee: PrincipalId,
    pub(crate) per_call: Amount,
}

impl Expected {
    /// The answer is the callee's signed word about this invocation, and the result is the one that
    /// it signed for.
    pub(crate) async fn check(&self, agent: &Agent, reply: v1::InvokeResponse) -> Result<Answer, Error> {
        let bad = |why: String| deceived(About::Receipt, why);
        let signed = Signed::from_bytes(&reply.receipt).map_err(|error| bad(error.to_string()))?;
        let claimed: Receipt = signed.peek_unverified().map_err(|error| bad(error.to_string()))?;
        let callee = agent.known(&claimed.callee).await?;
        let receipt: Receipt = signed.open(&[callee.key]).map_err(|error| bad(error.to_string()))?;
        let fits = [
            (receipt.domain == *agent.domain(), "is of another domain"),
            (receipt.invocation_id == self.invocation, "is for another invocation"),
            (receipt.chain_id == self.chain, "is for another chain"),
            (self.proofs.contains(&receipt.proof), "is for another proof"),
            (*receipt.callee.principal() == self.callee, "is by another callee"),
            (receipt.result == Digest::of(&reply.body), "is for another result"),
            (receipt.cost <= self.per_call, "costs more than one call may"),
            (receipt.extensions.check().is_ok(), "says something critical that is not known here"),
            (reply.intent_leaf < reply.result_leaf, "ended before it was permitted"),
        ];
        if let Some((_, what)) = fits.iter().find(|(fits, _)| !fits) {
            return Err(bad(format!("it {what}")));
        }
        let leaf = |index| LeafIndex::new(index).ok_or_else(|| bad("it names no leaf".into()));
        Ok(Answer {
            invocation: self.invocation,
            receipt,
            signed_receipt: signed,
            body: reply.body,
            intent: leaf(reply.intent_leaf)?,
            result: leaf(reply.result_leaf)?,
        })
    }
}
