use super::{open, worthless};
use crate::{
    capability::Amount,
    domain::{Balance, Intent, InvocationEnded, InvocationOutcome},
    identity::InstanceStatement,
    ledger::LeafIndex,
    receipt::Receipt,
    refusal::{Reason, Refusal},
    require,
    time::Timestamp,
    token::{ActiveToken, Recorded, Via},
};

/// An INTENT and where it stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::explain) struct Use<'a> {
    pub(in crate::explain) intent: &'a Intent,
    pub(in crate::explain) leaf: LeafIndex,
    pub(in crate::explain) at: Timestamp,
}

/// The holder's proof was good for this chain at that time, every link allows it as far as the ledger
/// recorded it, and the INTENT says what proof, chain and account say.
pub(in crate::explain) fn check_intent(
    usage: Use<'_>,
    active: &ActiveToken,
    caller: &InstanceStatement,
) -> Result<Recorded, Refusal> {
    let (intent, invalid) = (usage.intent, Reason::BundleInvalid);
    let recorded = active.recheck(&intent.proof, usage.at).map_err(worthless("LOG-041"))?;
    let (proof, token) = (&recorded.proof, active.token());
    require!("LOG-041", proof.invocation_id == intent.invocation_id, invalid, "It is another invocation.");
    require!("LOG-041", proof.callee == *intent.callee.principal(), invalid, "It went to another callee.");
    require!("LOG-041", proof.via != Via::Direct, invalid, "Its proof was not for the broker.");
    require!("LOG-041", proof.channel == caller.spki, invalid, "Its proof was for another channel.");
    let chain = token.links().map(|link| &link.chain_id);
    require!("LOG-041", intent.chain.iter().eq(chain), invalid, "It names another chain.");
    let originator = intent.originator == token.grant().originator;
    require!("LOG-041", originator, invalid, "It names another originator.");
    let newest = intent.seen_size.next_leaf() == usage.leaf;
    require!("LOG-041", newest, invalid, "It was decided on another ledger than the one before it.");
    require!("LOG-041", intent.approvals.is_empty(), invalid, "It has approvals that nothing defines.");
    let Intent { reserved, before, after, previous, .. } = intent;
    let (reserved, previous) = (*reserved, *previous);
    check_reservation(Reservation { reserved, before, after, previous }, usage.leaf, active)?;
    Ok(recorded)
}

/// What was reserved, and how the account stood.
#[derive(Clone, Copy, Debug)]
pub(in crate::explain) struct Reservation<'a> {
    pub(in crate::explain) reserved: Amount,
    pub(in crate::explain) before: &'a Balance,
    pub(in crate::explain) after: &'a Balance,
    pub(in crate::explain) previous: LeafIndex,
}

/// What was reserved is the leaf's amount per call, and fits into what its ceiling left.
pub(in crate::explain) fn check_reservation(
    of: Reservation<'_>,
    leaf: LeafIndex,
    active: &ActiveToken,
) -> Result<(), Refusal> {
    let invalid = Reason::BundleInvalid;
    let budget = &active.token().leaf().rights.budget;
    require!("LOG-042", of.reserved == budget.per_call, invalid, "It reserved another amount.");
    let opened = of.before.open.plus(of.reserved) == Some(of.after.open);
    let after = Balance { open: of.after.open, ..of.before.clone() };
    let differs = opened && *of.after == after;
    require!("LOG-042", differs, invalid, "Its balances do not differ by what it reserved.");
    let fits = total(of.after).is_some_and(|total| total <= budget.ceiling);
    require!("LOG-042", fits, invalid, "It overspent the ceiling of {}.", budget.ceiling);
    let since = active.activation().leaf <= of.previous && of.previous < leaf;
    require!("LOG-042", since, invalid, "Its account cannot have changed at leaf {}.", of.previous);
    Ok(())
}

fn total(balance: &Balance) -> Option<Amount> {
    balance.settled.plus(balance.open)?.plus(balance.delegated)
}

/// The callee signed the receipt for this proof, and what was settled is what it says; without a
/// receipt, what the contract says.
pub(in crate::explain) fn check_end(
    event: &InvocationEnded,
    intent: &Intent,
    callee: &InstanceStatement,
) -> Result<Option<Receipt>, Refusal> {
    let invalid = Reason::BundleInvalid;
    require!("LOG-043", event.invocation_id == intent.invocation_id, invalid, "It ends another invocation.");
    if let (InvocationOutcome::Receipted, Some(signed)) = (event.outcome, &event.receipt) {
        let receipt: Receipt = open("LOG-043", signed, &[callee.key])?;
        return check_receipt(event, intent, receipt).map(Some);
    }
    check_unanswered(event, intent.reserved).map(|()| None)
}

/// An end without a receipt costs nothing, or all that was reserved.
pub(in crate::explain) fn check_unanswered(event: &InvocationEnded, reserved: Amount) -> Result<(), Refusal> {
    let invalid = Reason::BundleInvalid;
    let unreceipted = match (event.outcome, &event.receipt) {
        (InvocationOutcome::Cancelled, None) => Amount::ZERO,
        (InvocationOutcome::Unknown, None) => reserved,
        _ => {
            return Err(Refusal::new(
                "LOG-043",
                invalid,
                "Its outcome and its receipt contradict each other.",
            ));
        }
    };
    require!("LOG-043", event.settled == unreceipted, invalid, "It settled another amount than it must.");
    Ok(())
}

fn check_receipt(event: &InvocationEnded, intent: &Intent, receipt: Receipt) -> Result<Receipt, Refusal> {
    let invalid = Reason::BundleInvalid;
    receipt.extensions.check().map_err(worthless("LOG-043"))?;
    let subject = receipt.domain == intent.originator.domain()
        && receipt.invocation_id == intent.invocation_id
        && Some(&receipt.chain_id) == intent.chain.last()
        && receipt.proof == intent.proof.digest()
        && receipt.callee == intent.callee;
    require!("LOG-043", subject, invalid, "The receipt is for something else.");
    require!("LOG-043", receipt.cost <= intent.reserved, invalid, "It cost more than was reserved.");
    require!("LOG-043", receipt.cost == event.settled, invalid, "It settled another amount than its cost.");
    Ok(receipt)
}
