//! `countersign contract suspend`, `resume`, `retire` and `breach`

use clap::{Args, ValueEnum};
use countersign::{Agent, Changed, Error, Shown, Target};
use countersign_protocol::{
    contract::Side,
    digest::{ChainId, Digest},
    id::InvocationId,
};
use serde::Serialize;

use crate::{context::Context, failure::Failure, lookup::Name, table::Page, terminal::View, view::LinkView};

/// Which, and whether it is done or only counted.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// A grant, contract or chain.
    #[arg(value_name = "ID")]
    target: Name,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct How {
    /// Only say how many chains it is about.
    #[arg(long)]
    dry_run: bool,
    /// Do it, if it is about exactly this many chains.
    #[arg(long, value_name = "N")]
    confirm: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Held {
    #[command(flatten)]
    which: Which,
    /// As whom.
    #[arg(long = "as", value_name = "SIDE")]
    side: Holding,
}

#[derive(Debug, Args)]
pub(crate) struct Breach {
    #[command(flatten)]
    which: Which,
    /// As whom.
    #[arg(long = "as", value_name = "SIDE")]
    side: Breaking,
    #[command(flatten)]
    shown: Evidence,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Evidence {
    /// The invocation that shows it.
    #[arg(long, value_name = "ID")]
    invocation: Option<InvocationId>,
    /// SHA-256 of what else shows it, in hexadecimal.
    #[arg(long, value_name = "DIGEST")]
    evidence: Option<Digest>,
}

/// Who holds a contract up.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Holding {
    /// Who handed the right on; of a grant, who it is from.
    Grantor,
    /// An admin of the trust domain.
    Admin,
}

/// Whom a contract binds.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Breaking {
    /// Who handed the right on; of a grant, who it is from.
    Grantor,
    /// Who has it.
    Holder,
}

#[derive(Serialize)]
struct Counted {
    target: String,
    chains: u64,
}

#[derive(Serialize)]
struct Done {
    target: String,
    chains: u64,
    state: &'static str,
    leaf: u64,
    epoch: u64,
}

impl Held {
    pub(crate) async fn suspend(self, context: &mut Context) -> Result<(), Failure> {
        let side = Side::from(self.side);
        self.which.run(context, async |agent, chain, n| agent.suspend(chain, side, n).await).await
    }

    pub(crate) async fn resume(self, context: &mut Context) -> Result<(), Failure> {
        let side = Side::from(self.side);
        self.which.run(context, async |agent, chain, n| agent.resume(chain, side, n).await).await
    }
}

impl Breach {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let side = match self.side {
            Breaking::Grantor => Side::Grantor,
            Breaking::Holder => Side::Holder,
        };
        let Evidence { invocation, evidence } = self.shown;
        let shown = invocation.map(Shown::Invocation).or(evidence.map(Shown::Evidence));
        let shown = shown.ok_or_else(|| {
            Failure::usage(
                "Nothing was changed",
                "Nothing shows the breach.",
                "Add --invocation or --evidence.",
            )
        })?;
        let declare = async |agent: &Agent, chain, n| agent.declare_breach(chain, side, shown, n).await;
        self.which.run(context, declare).await
    }
}

impl Which {
    pub(crate) async fn retire(self, context: &mut Context) -> Result<(), Failure> {
        self.run(context, async |agent, chain, n| agent.retire(chain, n).await).await
    }

    async fn run(
        self,
        context: &mut Context,
        change: impl AsyncFn(&Agent, ChainId, u64) -> Result<Changed, Error>,
    ) -> Result<(), Failure> {
        let Some(confirmed) = self.how.confirm else { return self.count(context).await };
        let done = context
            .as_person(async |agent, _| {
                let chain = self.target.chain(agent).await?;
                let changed = change(agent, chain, confirmed).await;
                let changed = changed.map_err(|error| Failure::sdk("Nothing was changed", &error))?;
                Ok(Done {
                    target: chain.to_string(),
                    chains: confirmed,
                    state: LinkView::from(&changed.link).state,
                    leaf: changed.leaf.get(),
                    epoch: changed.epoch,
                })
            })
            .await?;
        context.terminal.show(&done)
    }

    async fn count(self, context: &mut Context) -> Result<(), Failure> {
        let counted = context
            .as_person(async |agent, _| {
                let chain = self.target.chain(agent).await?;
                let preview = agent.preview_revocation(&Target::Chain(chain)).await;
                let preview = preview.map_err(|error| Failure::sdk("The chains were not counted", &error))?;
                Ok(Counted { target: chain.to_string(), chains: preview.chains })
            })
            .await?;
        context.terminal.show(&counted)?;
        context.terminal.say(&format!("To do it: the same with --confirm {}", counted.chains));
        Ok(())
    }
}

impl From<Holding> for Side {
    fn from(side: Holding) -> Self {
        match side {
            Holding::Grantor => Self::Grantor,
            Holding::Admin => Self::Admin,
        }
    }
}

impl View for Counted {
    fn write(&self, page: &mut Page) {
        page.line(&match self.chains {
            1 => "It is about 1 chain.".to_owned(),
            chains => format!("It is about {chains} chains."),
        });
    }
}

impl View for Done {
    fn write(&self, page: &mut Page) {
        page.fields(&[
            ("changed", self.target.clone()),
            ("chains", self.chains.to_string()),
            ("state", self.state.to_owned()),
            ("recorded in leaf", self.leaf.to_string()),
        ]);
    }
}
