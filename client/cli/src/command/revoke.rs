//! `countersign revoke`

use clap::Args;
use serde::Serialize;

use crate::{
    context::Context,
    failure::Failure,
    lookup::Name,
    table::{Page, Short},
    terminal::View,
    view::LinkView,
};

/// End a right, or an agent, with everything beneath it. What is revoked does not come back.
///
/// See what it would end with --dry-run; then confirm that number. If the number has changed by then,
/// nothing is revoked. Once the command returns, nothing beneath is forwarded any more.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    how: How,
}

/// What would end, or ends.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// A grant, contract or chain, or an instance with all that it holds.
    #[arg(value_name = "ID")]
    target: Name,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct How {
    /// Only show what it would end.
    #[arg(long)]
    dry_run: bool,
    /// Revoke, if it ends exactly this many chains.
    #[arg(long, value_name = "N")]
    confirm: Option<u64>,
}

#[derive(Serialize)]
struct Preview {
    target: String,
    chains: u64,
    links: Vec<LinkView>,
}

#[derive(Serialize)]
struct Revoked {
    target: String,
    chains: u64,
    leaf: u64,
    epoch: u64,
}

impl Revoke {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self.how.confirm {
            Some(chains) => self.target.confirm(chains, context).await,
            None => self.target.preview(context).await,
        }
    }
}

impl Target {
    /// Shows what a revocation would end.
    pub(crate) async fn preview(&self, context: &mut Context) -> Result<(), Failure> {
        let preview = context
            .as_person(async |agent, _| {
                let target = self.target.target(agent).await?;
                let preview = agent.preview_revocation(&target).await;
                let preview =
                    preview.map_err(|error| Failure::sdk("What it would end is not known", &error))?;
                let links = preview.links.iter().map(LinkView::from).collect();
                Ok(Preview { target: text(&target), chains: preview.chains, links })
            })
            .await?;
        context.terminal.show(&preview)?;
        let (target, chains) = (&preview.target, preview.chains);
        context.terminal.say(&format!("To end that: countersign revoke {target} --confirm {chains}"));
        Ok(())
    }

    async fn confirm(&self, chains: u64, context: &mut Context) -> Result<(), Failure> {
        let revoked = context
            .as_person(async |agent, _| {
                let target = self.target.target(agent).await?;
                let revoked = agent.revoke(&target, chains).await;
                let revoked = revoked.map_err(|error| Failure::sdk("Nothing was revoked", &error))?;
                let (leaf, epoch) = (revoked.leaf.get(), revoked.epoch);
                Ok(Revoked { target: text(&target), chains, leaf, epoch })
            })
            .await?;
        context.terminal.show(&revoked)
    }
}

fn text(target: &countersign::Target) -> String {
    match target {
        countersign::Target::Chain(chain) => chain.to_string(),
        countersign::Target::Instance(instance) => instance.to_string(),
    }
}

impl View for Preview {
    const ROWS: Option<&'static str> = Some("links");

    fn write(&self, page: &mut Page) {
        let short = Short::of(self.links.iter().map(|link| link.chain_id.as_str()));
        let row = |link: &LinkView| {
            vec![
                link.holder.clone(),
                link.rights.summary(),
                link.account(),
                link.id().to_owned(),
                short.show(&link.chain_id),
            ]
        };
        let rows = self.links.iter().map(row).collect();
        page.table(&["HOLDER", "MAY", "BUDGET", "GRANT OR CONTRACT", "CHAIN"], rows, "Nothing would end.");
        page.line(&match self.chains {
            1 => "It would end 1 chain.".to_owned(),
            chains => format!("It would end {chains} chains."),
        });
    }
}

impl View for Revoked {
    fn write(&self, page: &mut Page) {
        page.fields(&[
            ("revoked", self.target.clone()),
            ("chains ended", self.chains.to_string()),
            ("recorded in leaf", self.leaf.to_string()),
            ("revocations so far", self.epoch.to_string()),
        ]);
    }
}
