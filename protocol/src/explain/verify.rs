//! From a bundle to what it proves.

use super::{
    Attested, Bundle, Ended, ExplainedLink, Explanation, Proven,
    collect::{Collection, Recorded},
    evidence::{
        Conclusion, Use, check_contract, check_end, check_grant, check_intent, check_rebind, check_stream,
        rebind_in, worthless,
    },
};
use crate::{
    digest::{ChainId, Digest, TreeHash},
    domain::{ChainRebound, Intent, InvocationEnded, InvocationOutcome},
    grant::GrantRequest,
    ledger::{Checkpoint, LeafIndex, leaf_hash},
    name::InstanceId,
    payload::Payload,
    refusal::{Reason, Refusal},
    require, require_some,
    token::{self, Activation, ActiveToken, Proof, Token},
    trust::KeySet,
};

const INVALID: Reason = Reason::BundleInvalid;

impl Bundle {
    /// Checks everything that the bundle can show, with nothing but the keys that the reader pinned:
    /// checkpoint, inclusion, every signature, the chain hop by hop, the use of it and its receipt.
    /// Whatever is missing, superfluous or contradictory makes the whole bundle worthless.
    pub fn verify(&self, keys: &KeySet) -> Result<Explanation, Refusal> {
        let bytes = self.to_bytes().len();
        require!("LOG-045", bytes <= Self::MAX_BYTES, INVALID, "It has {bytes} bytes.");
        let checkpoint = self.open_checkpoint(keys)?;
        self.check_inclusion(&checkpoint)?;
        let mut entries = Collection::of(keys.domain(), &self.entries)?;
        let published = entries.keys()?;
        let known = keys.continues(&published.event.keys);
        require!("LOG-035", known, INVALID, "The ledger holds other keys.");
        let (mut explanation, policy) = match entries.session()? {
            Some(session) => self.explain_session(keys, &checkpoint, &mut entries, &session)?,
            None => self.explain_alone(keys, &checkpoint, &mut entries)?,
        };
        let originator = explanation.links.first().map(|link| &link.grantor);
        let mut needed: Vec<&InstanceId> = explanation.links.iter().map(|link| &link.holder).collect();
        needed.extend(explanation.links.iter().filter_map(|link| link.named.as_ref()));
        needed.extend(originator.into_iter().chain([&explanation.callee]));
        let joined = entries.admissions().map(|admission| admission.event.instance.clone());
        let joined: Vec<Proven> = joined.map(Proven::Joined).collect();
        entries.finish(&needed)?;
        explanation.proven.extend(joined);
        self.explain_policy(&mut explanation, policy)?;
        Ok(explanation)
    }

    /// An invocation with a proof of its own.
    fn explain_alone(
        &self,
        keys: &KeySet,
        checkpoint: &Checkpoint,
        entries: &mut Collection,
    ) -> Result<(Explanation, Digest), Refusal> {
        let intent = entries.intent()?;
        let (links, token) = walk(keys, entries, &intent.event.chain, intent.leaf)?;
        let active = self.activate(keys, &links, token)?;
        let (mut explanation, proof) = self.explain_intent(checkpoint, entries, &intent, links, &active)?;
        let end = entries.end();
        explain_end(&mut explanation, entries, &intent, &proof, end)?;
        Ok((explanation, intent.event.policy))
    }

    fn open_checkpoint(&self, keys: &KeySet) -> Result<Checkpoint, Refusal> {
        let checkpoint = keys.open_checkpoint(&self.checkpoint).ok();
        let domain = keys.domain();
        Ok(require_some!("LOG-032", checkpoint, INVALID, "The log of {domain} did not sign its checkpoint."))
    }

    fn check_inclusion(&self, checkpoint: &Checkpoint) -> Result<(), Refusal> {
        for entry in self.entries.iter() {
            let included = entry.inclusion(checkpoint.size).verify(leaf_hash(&entry.entry), checkpoint.root);
            included.map_err(|error| {
                Refusal::new("LOG-033", INVALID, format!("Leaf {}: {error}.", entry.leaf))
            })?;
        }
        Ok(())
    }

    /// The chain's activation is the domain's, by the leaf that made the last link. That it is for the
    /// domain's log, whose name the checkpoint bears, an active token is held to already (CHN-023).
    pub(super) fn activate(
        &self,
        keys: &KeySet,
        links: &[ExplainedLink],
        token: Token,
    ) -> Result<ActiveToken, Refusal> {
        let activation = Activation::open(&self.activation, keys).map_err(worthless("LOG-040"))?;
        let made = links.last().map(|link| link.leaf);
        require!("LOG-040", Some(activation.leaf) == made, INVALID, "It names another leaf.");
        ActiveToken::new(token, activation).map_err(worthless("LOG-040"))
    }

    fn explain_intent(
        &self,
        checkpoint: &Checkpoint,
        entries: &Collection,
        intent: &Recorded<Intent>,
        links: Vec<ExplainedLink>,
        active: &ActiveToken,
    ) -> Result<(Explanation, Proof), Refusal> {
        let (leaf, event) = (intent.leaf, &intent.event);
        let same = event.invocation_id == self.invocation_id;
        require!("LOG-041", same, INVALID, "The INTENT is of {}.", event.invocation_id);
        let caller = entries.admitted_before(leaf, &active.token().leaf().holder.instance)?;
        entries.admitted_before(leaf, &event.callee)?;
        let usage = Use { intent: event, leaf, at: intent.at };
        let token::Recorded { proof, whatever_the_arguments } = check_intent(usage, active, caller)?;
        let before = self.root_before(checkpoint, leaf);
        require!("LOG-041", before == Some(event.seen_root), INVALID, "It was decided on another ledger.");
        let mut explanation = Explanation {
            invocation_id: event.invocation_id,
            checkpoint: checkpoint.clone(),
            originator: event.originator.clone(),
            links,
            callee: event.callee.clone(),
            action: proof.action.clone(),
            resource: proof.resource.clone(),
            arguments: proof.arguments,
            decided: intent.at,
            intent: leaf,
            session: None,
            end: None,
            proven: Vec::new(),
            attested: Vec::new(),
        };
        let requested = vec![Proven::Requested(proof.caller.clone())];
        explanation.state_what_intent_shows(whatever_the_arguments, event.reserved, requested);
        Ok((explanation, proof))
    }

    /// The root of the tree before that leaf.
    pub(super) fn root_before(&self, checkpoint: &Checkpoint, leaf: LeafIndex) -> Option<TreeHash> {
        let own = self.entries.iter().find(|entry| entry.leaf == leaf);
        own.map(|entry| entry.inclusion(checkpoint.size).root_before())
    }

    fn explain_policy(&self, explanation: &mut Explanation, digest: Digest) -> Result<(), Refusal> {
        if let Some(policy) = &self.policy {
            require!("LOG-044", Digest::of(policy) == digest, INVALID, "The policy is not the one named.");
            explanation.proven.push(Proven::PolicyNamed(digest));
        } else {
            explanation.attested.push(Attested::PolicyNotShown(digest));
        }
        Ok(())
    }
}

/// From the grant to the last link: each was signed by whoever held the one before it, and logged
/// after it.
pub(super) fn walk(
    keys: &KeySet,
    entries: &mut Collection,
    chain: &[ChainId],
    used: LeafIndex,
) -> Result<(Vec<ExplainedLink>, Token), Refusal> {
    let grant = entries.grant()?;
    let request: GrantRequest = grant
        .event
        .request
        .peek_unverified()
        .map_err(|error| Refusal::new("LOG-037", INVALID, format!("{error}.")))?;
    let originator = entries.admitted_before(grant.leaf, &request.originator)?;
    let holder = entries.admitted_before(grant.leaf, &request.holder)?;
    let mut token = check_grant(keys, grant.at, &grant.event, originator, holder)?;
    let mut links = vec![ExplainedLink {
        chain_id: token.chain_id(),
        grantor: request.originator,
        holder: request.holder,
        named: None,
        contract: None,
        rights: request.rights,
        leaf: grant.leaf,
        at: grant.at,
    }];
    for chain in chain.iter().skip(1) {
        let above = links.last().map(|link| link.leaf);
        let (link, next) = match entries.rebound(chain) {
            Some(rebound) => taken_over(keys, entries, &rebound, above, &token)?,
            None => {
                let (concluded, link) = contracted(keys, entries, chain, above, &token)?;
                (link, concluded.token)
            }
        };
        links.push(link);
        token = next;
    }
    let used = links.last().is_some_and(|link| link.leaf < used);
    require!("LOG-039", used, INVALID, "It was used before it was made.");
    token.check_granted_at(grant.leaf).map_err(worthless("LOG-037"))?;
    Ok((links, token))
}

/// A contract with the holder of the chain above, which was logged before it.
fn contracted(
    keys: &KeySet,
    entries: &mut Collection,
    chain: &ChainId,
    above: Option<LeafIndex>,
    token: &Token,
) -> Result<(Conclusion, ExplainedLink), Refusal> {
    let contract = entries.contract(chain)?;
    let parent = token.leaf();
    let ordered = above.is_some_and(|above| above < contract.leaf);
    require!("LOG-039", ordered, INVALID, "Leaf {} is older than its parent.", contract.leaf);
    let claimed = contract
        .event
        .contract
        .peek_unverified::<crate::contract::ContractBody>()
        .map_err(|error| Refusal::new("LOG-038", INVALID, format!("{error}.")))?;
    let grantor = entries.admitted_before(contract.leaf, &parent.holder.instance)?;
    let grantee = entries.admitted_before(contract.leaf, &claimed.grantee.instance)?;
    let (at, event) = (contract.at, &contract.event);
    let concluded = check_contract(keys, at, event, parent.chain_id, grantor, grantee)?;
    let link = explained(&concluded, &contract);
    Ok((concluded, link))
}

/// A contract whose link another instance than its grantee holds: the contract, and then that.
fn taken_over(
    keys: &KeySet,
    entries: &mut Collection,
    recorded: &Recorded<ChainRebound>,
    above: Option<LeafIndex>,
    token: &Token,
) -> Result<(ExplainedLink, Token), Refusal> {
    let (leaf, event) = (recorded.leaf, &recorded.event);
    let (next, rebound) = rebind_in(keys, event)?;
    let (concluded, link) = contracted(keys, entries, &rebound.hop, above, token)?;
    let ordered = link.leaf < leaf;
    require!("LOG-039", ordered, INVALID, "Leaf {leaf} is older than what it takes over.");
    let new = entries.admitted_before(leaf, &rebound.terms.holder.instance)?;
    check_rebind((leaf, recorded.at), event, (&next, &rebound), &concluded.body, new)?;
    let (chain_id, holder) = (next.chain_id(), new.instance.clone());
    Ok((ExplainedLink { chain_id, holder, named: Some(link.holder), leaf, at: recorded.at, ..link }, next))
}

fn explained<T>(concluded: &Conclusion, contract: &Recorded<T>) -> ExplainedLink {
    let body = &concluded.body;
    ExplainedLink {
        chain_id: concluded.token.chain_id(),
        grantor: body.grantor.instance.clone(),
        holder: body.grantee.instance.clone(),
        named: None,
        contract: Some((body.contract_id, body.hash())),
        rights: body.rights.clone(),
        leaf: contract.leaf,
        at: contract.at,
    }
}

fn explain_end(
    explanation: &mut Explanation,
    entries: &Collection,
    intent: &Recorded<Intent>,
    proof: &Proof,
    end: Option<Recorded<InvocationEnded>>,
) -> Result<(), Refusal> {
    let Some(end) = end else {
        explanation.attested.push(Attested::StillOpen);
        return Ok(());
    };
    require!("LOG-043", intent.leaf < end.leaf, INVALID, "It ended before it began.");
    let callee = entries.admitted_before(end.leaf, &intent.event.callee)?;
    let receipt = check_end(&end.event, &intent.event, callee)?;
    let caller = entries.admitted_before(intent.leaf, &proof.caller)?;
    let streamed = check_stream(&end.event, &intent.event, proof, receipt.as_ref(), [caller, callee])?;
    let (leaf, at, settled) = (end.leaf, end.at, end.event.settled);
    let outcome = end.event.outcome;
    match outcome {
        InvocationOutcome::Receipted => explanation.proven.push(Proven::Receipted { settled }),
        InvocationOutcome::Cancelled => explanation.attested.push(Attested::NotForwarded),
        // `check_end` has refused the last of these.
        InvocationOutcome::Unknown | InvocationOutcome::InSession => {
            explanation.attested.push(Attested::NoReceiptCame);
        }
    }
    if let Some(account) = &streamed {
        let (received, sent) = (account.received.bytes, account.sent.bytes);
        explanation.proven.push(Proven::Streamed { received, sent });
    }
    explanation.end = Some(Ended { outcome, receipt, result: None, streamed, settled, leaf, at });
    Ok(())
}
