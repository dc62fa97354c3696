use super::{open, worthless};
use crate::{
    capability::Amount,
    domain::{InvocationOutcome, SessionAnswered, SessionIntent, SessionOpened, SessionResulted},
    explain::{collect::Recorded, session::SessionEntries},
    id::{InvocationId, SessionId},
    identity::InstanceStatement,
    refusal::{Reason, Refusal},
    require, require_some,
    session::{SessionAnswer, SessionHead, SessionOpening, SessionRequest, Side, Strand},
    signed::Signed,
    token::ActiveToken,
};

const INVALID: Reason = Reason::BundleInvalid;

/// What the evidence of a session shows of one request.
#[derive(Clone, Debug)]
pub(in crate::explain) struct Spoken {
    pub(in crate::explain) session: SessionId,
    pub(in crate::explain) request: SessionRequest,
    /// Whether a head of the caller covers the request.
    pub(in crate::explain) asked: bool,
    pub(in crate::explain) whatever_the_arguments: bool,
    /// The request's link.
    strand: Strand,
}

/// The opening was good for this chain when the session was opened, its callee answered just it, and the
/// request is the invocation that it is said to be, under links that all allow it.
pub(in crate::explain) fn check_request(
    entries: &SessionEntries,
    intent: &Recorded<SessionIntent>,
    id: InvocationId,
    active: &ActiveToken,
    [caller, callee]: [&InstanceStatement; 2],
) -> Result<Spoken, Refusal> {
    let (opened, answered) = (entries.opened()?, entries.answered()?);
    let ordered = opened.leaf < answered.leaf && answered.leaf < intent.leaf;
    require!("LOG-047", ordered, INVALID, "It was used before it was opened and answered.");
    let opening = check_opening(opened, active, caller)?;
    check_answer(answered, &opening, &opened.event, callee)?;
    let event = &intent.event;
    let named = InvocationId::in_session(event.session_id, event.request.seq) == id;
    require!("LOG-047", named, INVALID, "It is another request.");
    require!("LOG-047", event.session_id == opening.session_id, INVALID, "It is of another session.");
    let in_time = intent.at < event.request.deadline;
    require!("LOG-047", in_time, INVALID, "It was permitted after its deadline.");
    let rights = active.recheck_request(&opening.callee, &event.request, intent.at);
    let whatever_the_arguments = rights.map_err(worthless("LOG-047"))?;
    let number = event.request.seq.checked_sub(1);
    let count = require_some!("LOG-047", number, INVALID, "It has no number.");
    let strand = Strand { count, link: event.before_link }.with(&event.request);
    let after = entries.requests_after(strand.count);
    let tip = after.fold(strand, |strand, request| strand.with(request));
    let asked = check_head(entries, Side::Caller, tip, &opening.session_id, caller)?;
    require!("LOG-048", asked || tip == strand, INVALID, "Later requests are shown, and no signature.");
    let (session, request) = (opening.session_id, event.request.clone());
    Ok(Spoken { session, request, asked, whatever_the_arguments, strand })
}

fn check_opening(
    opened: &Recorded<SessionOpened>,
    active: &ActiveToken,
    caller: &InstanceStatement,
) -> Result<SessionOpening, Refusal> {
    let (event, token) = (&opened.event, active.token());
    let opening = active.recheck_session(&event.opening, opened.at).map_err(worthless("LOG-047"))?;
    require!("LOG-047", opening.channel == caller.spki, INVALID, "Its opening was for another channel.");
    require!("LOG-047", opening.callee == *event.callee.principal(), INVALID, "It went to another callee.");
    let chain = token.links().map(|link| &link.chain_id);
    require!("LOG-047", event.chain.iter().eq(chain), INVALID, "It names another chain.");
    let originator = event.originator == token.grant().originator;
    require!("LOG-047", originator, INVALID, "It names another originator.");
    Ok(opening)
}

fn check_answer(
    answered: &Recorded<SessionAnswered>,
    opening: &SessionOpening,
    opened: &SessionOpened,
    callee: &InstanceStatement,
) -> Result<(), Refusal> {
    let answer: SessionAnswer = open("LOG-047", &answered.event.answer, &[callee.key])?;
    answer.extensions.check().map_err(worthless("LOG-047"))?;
    let fits = answer.domain == opening.domain
        && answer.session_id == opening.session_id
        && answered.event.session_id == opening.session_id
        && answer.opening == opened.opening.digest()
        && answer.callee == opened.callee;
    require!("LOG-047", fits, INVALID, "The callee answered to something else.");
    Ok(())
}

/// The callee's result is for that request, and what was settled is what it says; or nothing, where the
/// invocation had ended without it. Gives whether a head of the callee covers it.
pub(in crate::explain) fn check_result(
    entries: &SessionEntries,
    resulted: &SessionResulted,
    spoken: &Spoken,
    reserved: Amount,
    ended: Option<InvocationOutcome>,
    callee: &InstanceStatement,
) -> Result<bool, Refusal> {
    let result = &resulted.result;
    let same = (result.seq, result.request) == (spoken.request.seq, spoken.strand.link);
    require!("LOG-049", same, INVALID, "The result is for another request.");
    require!("LOG-049", result.cost <= reserved, INVALID, "It cost more than was reserved.");
    let settles = if ended.is_some() { Amount::ZERO } else { result.cost };
    require!("LOG-049", resulted.settled == settles, INVALID, "It settled another amount than it must.");
    let number = result.number.checked_sub(1);
    let count = require_some!("LOG-049", number, INVALID, "It has no number.");
    let strand = Strand { count, link: resulted.before_link }.with(result);
    let tip = entries.results_after(strand.count).fold(strand, |strand, result| strand.with(result));
    let told = check_head(entries, Side::Callee, tip, &spoken.session, callee)?;
    require!("LOG-048", told || tip == strand, INVALID, "Later results are shown, and no signature.");
    Ok(told)
}

/// Whether that side signed for everything up to that link.
fn check_head(
    entries: &SessionEntries,
    side: Side,
    tip: Strand,
    session: &SessionId,
    by: &InstanceStatement,
) -> Result<bool, Refusal> {
    let Some(signed) = entries.head(side) else { return Ok(false) };
    let signed: &Signed = signed;
    let head: SessionHead = open("LOG-048", signed, &[by.key])?;
    head.extensions.check().map_err(worthless("LOG-048"))?;
    let fits = head.domain == by.instance.principal().domain()
        && head.session_id == *session
        && head.side == side
        && (head.count, head.link) == (tip.count, tip.link);
    require!("LOG-048", fits, INVALID, "What is shown does not lead to what was signed.");
    Ok(true)
}
