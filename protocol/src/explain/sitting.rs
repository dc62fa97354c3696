//! From a bundle to what it proves of a request in a session.

use super::{
    Attested, Bundle, Ended, ExplainedLink, Explanation, Proven,
    collect::{Collection, Recorded},
    evidence::{Reservation, Spoken, check_request, check_reservation, check_result, check_unanswered},
    session::SessionEntries,
    verify::walk,
};
use crate::{
    digest::Digest,
    domain::{InvocationEnded, InvocationOutcome, SessionIntent},
    identity::InstanceStatement,
    ledger::Checkpoint,
    refusal::{Reason, Refusal},
    require,
    token::ActiveToken,
    trust::KeySet,
};

const INVALID: Reason = Reason::BundleInvalid;

impl Bundle {
    pub(super) fn explain_session(
        &self,
        keys: &KeySet,
        checkpoint: &Checkpoint,
        entries: &mut Collection,
        session: &SessionEntries,
    ) -> Result<(Explanation, Digest), Refusal> {
        let (opened, intent) = (session.opened()?, session.intent()?);
        let (links, token) = walk(keys, entries, &opened.event.chain, opened.leaf)?;
        let active = self.activate(keys, &links, token)?;
        let caller = entries.admitted_before(opened.leaf, &active.token().leaf().holder.instance)?.clone();
        let callee = entries.admitted_before(opened.leaf, &opened.event.callee)?.clone();
        let spoken = check_request(session, intent, self.invocation_id, &active, [&caller, &callee])?;
        self.check_decided(checkpoint, intent, &active)?;
        let mut explanation = self.explain_request(checkpoint, session, intent, links, &spoken)?;
        let end = entries.end();
        explain_end(&mut explanation, session, intent, &spoken, end, &callee)?;
        Ok((explanation, intent.event.policy))
    }

    /// It was decided on the ledger before it, and what it reserved was there.
    fn check_decided(
        &self,
        checkpoint: &Checkpoint,
        intent: &Recorded<SessionIntent>,
        active: &ActiveToken,
    ) -> Result<(), Refusal> {
        let SessionIntent { reserved, before, after, previous, .. } = &intent.event;
        let (reserved, previous) = (*reserved, *previous);
        check_reservation(Reservation { reserved, before, after, previous }, intent.leaf, active)?;
        let seen = intent.event.seen_size.next_leaf() == intent.leaf
            && self.root_before(checkpoint, intent.leaf) == Some(intent.event.seen_root);
        require!("LOG-047", seen, INVALID, "It was decided on another ledger.");
        Ok(())
    }

    fn explain_request(
        &self,
        checkpoint: &Checkpoint,
        session: &SessionEntries,
        intent: &Recorded<SessionIntent>,
        links: Vec<ExplainedLink>,
        spoken: &Spoken,
    ) -> Result<Explanation, Refusal> {
        let opened = &session.opened()?.event;
        let request = &spoken.request;
        let caller = links.last().map(|link| link.holder.clone());
        let mut explanation = Explanation {
            invocation_id: self.invocation_id,
            checkpoint: checkpoint.clone(),
            originator: opened.originator.clone(),
            links,
            callee: opened.callee.clone(),
            action: request.action.clone(),
            resource: request.resource.clone(),
            arguments: request.arguments,
            decided: intent.at,
            intent: intent.leaf,
            session: Some(spoken.session),
            end: None,
            proven: Vec::new(),
            attested: Vec::new(),
        };
        let mut requested = vec![Proven::SessionAnswered(opened.callee.clone())];
        requested.extend(caller.filter(|_| spoken.asked).map(Proven::RequestedInSession));
        let (arguments, reserved) = (spoken.whatever_the_arguments, intent.event.reserved);
        explanation.state_what_intent_shows(arguments, reserved, requested);
        if !spoken.asked {
            explanation.attested.push(Attested::RequestInSession);
        }
        Ok(explanation)
    }
}

fn explain_end(
    explanation: &mut Explanation,
    session: &SessionEntries,
    intent: &Recorded<SessionIntent>,
    spoken: &Spoken,
    end: Option<Recorded<InvocationEnded>>,
    callee: &InstanceStatement,
) -> Result<(), Refusal> {
    let reserved = intent.event.reserved;
    require!("LOG-034", !session.is_superfluous(), INVALID, "A signature is shown, and no result.");
    if let Some(end) = &end {
        let own = end.event.invocation_id == explanation.invocation_id && intent.leaf < end.leaf;
        require!("LOG-043", own, INVALID, "It ends another invocation, or ended before it began.");
        check_unanswered(&end.event, reserved)?;
    }
    let ended = end.as_ref().map(|end| end.event.outcome);
    let resulted = session.resulted();
    if let Some(Recorded { leaf, event, .. }) = resulted {
        require!("LOG-049", intent.leaf < *leaf, INVALID, "Its result came before it was permitted.");
        let signed = check_result(session, event, spoken, reserved, ended, callee)?;
        match signed {
            true => explanation.proven.push(Proven::ResultedInSession { settled: event.settled }),
            false => explanation.attested.push(Attested::ResultInSession),
        }
    }
    let result = resulted.map(|resulted| resulted.event.result.clone());
    explanation.end = match (end, resulted) {
        (Some(end), _) => {
            explanation.attested.push(match end.event.outcome {
                InvocationOutcome::Cancelled => Attested::NotForwarded,
                _ => Attested::NoReceiptCame,
            });
            let (outcome, settled, leaf, at) = (end.event.outcome, end.event.settled, end.leaf, end.at);
            Some(Ended { outcome, receipt: None, result, streamed: None, settled, leaf, at })
        }
        (None, Some(resulted)) => {
            let (settled, leaf, at) = (resulted.event.settled, resulted.leaf, resulted.at);
            let outcome = InvocationOutcome::InSession;
            Some(Ended { outcome, receipt: None, result, streamed: None, settled, leaf, at })
        }
        (None, None) => {
            explanation.attested.push(Attested::StillOpen);
            None
        }
    };
    Ok(())
}
