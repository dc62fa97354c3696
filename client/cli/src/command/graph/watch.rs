//! `countersign graph watch`

use clap::Args;
use countersign::{EdgeChange, Place};
use countersign_protocol::ledger::TreeSize;
use serde::Serialize;
use tokio::time::timeout;

use super::{failed, size};
use crate::{
    context::Context,
    failure::Failure,
    limits::{WATCH_GLANCE, WATCH_REST},
    table::Page,
    terminal::View,
    view::EdgeView,
};

/// Tell of every delegation that begins or ends, until you stop it with Ctrl-C.
///
/// Each line names the leaf of the ledger that it happened at. Watch --from the next one to go on
/// without a gap. Other commands can be used meanwhile.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// From when the ledger had so many entries on, instead of from now.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    from: Option<TreeSize>,
    /// Stop after so many changes.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Change {
    leaf: u64,
    chain_id: String,
    state: &'static str,
    edge: Option<EdgeView>,
}

impl Watch {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let mut place = self.from.map(Place::from);
        let mut left = self.limit.unwrap_or(usize::MAX);
        while left > 0 {
            // A session is for one command at a time, so it is given back between two glances.
            let (changes, next) =
                context.as_person(async |agent, _| glance(agent, place.take()).await).await?;
            for change in changes.iter().take(left) {
                context.terminal.show(&Change::from(change))?;
            }
            left = left.saturating_sub(changes.len());
            place = Some(next);
            if changes.is_empty() {
                tokio::time::sleep(WATCH_REST).await;
            }
        }
        Ok(())
    }
}

/// What comes within a short while, and where to go on.
async fn glance(
    agent: &countersign::Agent,
    place: Option<Place>,
) -> Result<(Vec<EdgeChange>, Place), Failure> {
    let place = match place {
        Some(place) => place,
        None => Place::from(agent.ledger().checkpoint().await.map_err(failed)?.0.size),
    };
    let mut edges = agent.graph().watch(place);
    let changes = timeout(WATCH_GLANCE, edges.next()).await;
    let changes = changes.map_or_else(|_| Ok(Vec::new()), |told| told.map_err(failed))?;
    Ok((changes, edges.place()))
}

impl From<&EdgeChange> for Change {
    fn from(change: &EdgeChange) -> Self {
        Self {
            leaf: change.leaf.get(),
            chain_id: change.chain_id.to_string(),
            state: change.state.name(),
            edge: change.edge.as_ref().map(EdgeView::from),
        }
    }
}

impl View for Change {
    fn write(&self, page: &mut Page) {
        let Self { leaf, chain_id, state, edge } = self;
        page.line(&match edge {
            Some(edge) => {
                format!(
                    "{leaf}  {state}  {chain_id}  {} → {}  {}",
                    edge.grantor,
                    edge.holder,
                    edge.rights.summary()
                )
            }
            None => format!("{leaf}  {state}  {chain_id}"),
        });
    }
}
