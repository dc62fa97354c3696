use crate::{
    domain::{Intent, InvocationEnded},
    identity::InstanceStatement,
    receipt::Receipt,
    refusal::{Reason, Refusal},
    require,
    session::Side,
    signed::Signed,
    stream::{OpenedHead, StreamAccount, StreamHeads},
    token::{Proof, Via},
};

const INVALID: Reason = Reason::BundleInvalid;

/// Where it was a stream with a receipt: both sides signed for what the receipt says went each way. Where it
/// was anything else, no head is shown.
pub(in crate::explain) fn check_stream(
    event: &InvocationEnded,
    intent: &Intent,
    proof: &Proof,
    receipt: Option<&Receipt>,
    [caller, callee]: [&InstanceStatement; 2],
) -> Result<Option<StreamAccount>, Refusal> {
    let receipt = receipt.filter(|_| proof.via == Via::Stream);
    let (Some(receipt), Some(told)) = (receipt, &event.told) else {
        let bare = event.told.is_none() && event.asked.is_none() && receipt.is_none();
        require!(
            "LOG-050",
            bare,
            INVALID,
            "Chunks are signed for where there were none, or none where there were."
        );
        return Ok(None);
    };
    let asked = event.asked.as_ref().map(|asked| check_head(asked, proof, Side::Caller, caller));
    let told = check_head(told, proof, Side::Callee, callee)?;
    require!("LOG-050", told.is_last(), INVALID, "The callee signed for more to come.");
    let account = StreamHeads { asked: asked.transpose()?, told }.account(&intent.proof.digest());
    let same = receipt.result == account.digest();
    require!("LOG-050", same, INVALID, "The receipt is for other chunks than were signed for.");
    Ok(Some(account))
}

fn check_head(
    signed: &Signed,
    proof: &Proof,
    side: Side,
    by: &InstanceStatement,
) -> Result<OpenedHead, Refusal> {
    let head = OpenedHead::open(signed.clone(), by.key)
        .map_err(|error| Refusal::new("LOG-050", INVALID, format!("A head: {error}.")))?;
    let ours = head.is_of(&proof.domain, proof.invocation_id, side, by.key);
    require!("LOG-050", ours, INVALID, "A head is of another stream or side.");
    Ok(head)
}
