//! `countersign can`

use clap::Args;
use countersign::{Agent, Asked, Denial, Holding, Judgement};
use serde::Serialize;

use crate::{
    context::Context,
    exit::Exit,
    failure::Failure,
    lookup::Name,
    table::{BAD, GOOD, Page},
    terminal::View,
    view::EdgeView,
    wanted::Wanted,
};

/// Ask whether a use would be allowed now, without making it.
///
/// It is decided as an invocation is: the token, its links and their times, revocation and what is left of
/// the budget. Nothing is recorded or reserved. If it would be refused, you are shown which link refuses,
/// who signed it, and who could help; the exit code is 3.
#[derive(Debug, Args)]
pub(crate) struct Can {
    /// Who: a principal or an instance; or the grant, contract or chain that would be used.
    #[arg(value_name = "WHO")]
    who: Who,
    #[command(flatten)]
    wanted: Wanted,
}

/// A holder, or one chain.
#[derive(Clone, Debug)]
enum Who {
    Holder(Holding),
    Chain(Name),
}

impl std::str::FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("spiffe://") {
            return text.parse().map(Self::Holder).map_err(|error| format!("{error}"));
        }
        text.parse().map(Self::Chain)
    }
}

#[derive(Serialize)]
struct Answer {
    allowed: bool,
    wanted: String,
    #[serde(flatten)]
    edge: EdgeView,
    denial: Option<DenialView>,
    as_of: u64,
}

#[derive(Serialize)]
struct DenialView {
    reason: &'static str,
    message: String,
    rule: Option<String>,
    fault: Option<EdgeView>,
    nearest: Option<EdgeView>,
    instead: Vec<EdgeView>,
}

impl Can {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let wanted = self.wanted.as_use()?;
        let judgement = context
            .as_person(async |agent, _| {
                let asked = self.who.asked(agent).await?;
                let judged = agent.graph().can(&asked, &wanted).await;
                judged.map_err(|error| Failure::sdk("Whether it can is not known", &error))
            })
            .await?;
        let answer = Answer::of(&judgement, self.wanted.text());
        context.terminal.show(&answer)?;
        judgement.denial.as_ref().map_or(Ok(()), |denial| Err(refused(denial)))
    }
}

impl Who {
    async fn asked(&self, agent: &Agent) -> Result<Asked, Failure> {
        match self {
            Self::Holder(holder) => Ok(Asked::Holder(holder.clone())),
            Self::Chain(name) => name.chain(agent).await.map(Asked::Chain),
        }
    }
}

/// The answer is data; what it says is how the program ends.
fn refused(denial: &Denial) -> Failure {
    let next = match (&denial.nearest, denial.instead.first()) {
        (_, Some(other)) => format!("Use chain {}, which allows it.", other.chain_id),
        (Some(nearest), None) => {
            format!("Ask {} for it: it has the right and may delegate it.", nearest.holder.principal())
        }
        (None, None) => denial.reason.hint().to_owned(),
    };
    let (reason, rule) = (Some(denial.reason.name()), denial.rule.clone());
    Failure {
        reason,
        rule,
        ..Failure::new(Exit::Denied, "It would be refused", denial.message.clone(), next)
    }
}

impl Answer {
    fn of(judgement: &Judgement, wanted: String) -> Self {
        let denial = judgement.denial.as_ref().map(|denial| DenialView {
            reason: denial.reason.name(),
            message: denial.message.clone(),
            rule: denial.rule.clone(),
            fault: denial.fault.as_ref().map(EdgeView::from),
            nearest: denial.nearest.as_ref().map(EdgeView::from),
            instead: denial.instead.iter().map(EdgeView::from).collect(),
        });
        let (allowed, edge) = (denial.is_none(), EdgeView::from(&judgement.edge));
        Self { allowed, wanted, edge, denial, as_of: judgement.size.get() }
    }
}

impl View for Answer {
    fn write(&self, page: &mut Page) {
        let (style, mark, word) = if self.allowed { (GOOD, "✓", "yes") } else { (BAD, "✗", "no") };
        page.marked(style, mark, &format!("{word}: {} {}", self.edge.holder, self.wanted));
        let mut fields = vec![("chain", self.edge.chain_id.clone())];
        if let Some(denial) = &self.denial {
            fields.push(("reason", denial.reason.to_owned()));
            if let Some(fault) = &denial.fault {
                fields.push(("refused by", format!("the link of {}", fault.holder)));
                fields.push(("which says", fault.rights.summary()));
                fields.push(("signed by", fault.grantor.clone()));
            }
            if let Some(nearest) = &denial.nearest {
                fields.push(("could delegate it", nearest.holder.clone()));
            }
            fields.extend(denial.instead.iter().map(|other| ("another chain", other.chain_id.clone())));
        }
        page.fields(&fields);
    }
}
