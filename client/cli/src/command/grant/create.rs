//! `countersign grant create`

use clap::Args;
use countersign::Agent;
use countersign_protocol::{
    name::{InstanceId, PrincipalId},
    settings::LifetimeText,
};
use serde::Serialize;

use super::rights::{self, Flags, no_rights};
use crate::{
    context::Context, exit::Exit, failure::Failure, input::Source, table::Page, terminal::View,
    view::RightsView,
};

/// Grant rights to an instance. You sign for it, and everything under it answers to you.
///
/// The rights are read from a TOML file (--file), or given by the other options: one capability
/// without constraints. Nothing that is signed has a default, so all of them are needed.
///
/// A file of rights looks like this:
///
///   audiences = ["spiffe://prod.acme.example/service/files"]
///   delegations_left = 2
///   budget = { unit = "calls", ceiling = 500, per_call = 1 }
///
///   [[capability]]
///   resource = "file:/data/**"
///   actions = ["files:read"]
///   constraints = [{ argument = "region", one_of = ["eu"] }]
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Create {
    /// Who receives it: an instance; an admin may name a principal that runs exactly once.
    #[arg(long, value_name = "INSTANCE")]
    to: String,
    /// How long it is valid from now on, such as 8h.
    #[arg(long)]
    lifetime: LifetimeText,
    /// The file of rights; - is standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "resource")]
    file: Option<Source>,
    #[command(flatten)]
    flags: Option<Flags>,
}

#[derive(Serialize)]
struct Granted {
    grant_id: String,
    chain_id: String,
    originator: String,
    holder: String,
    rights: RightsView,
}

impl Create {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let scope = match (&self.file, &self.flags) {
            (Some(file), _) => rights::read(file, &mut context.terminal)?,
            (None, Some(flags)) => flags.scope()?,
            (None, None) => return Err(no_rights("Neither --file nor --resource is given.")),
        };
        let granted = context
            .as_person(async |agent, _| {
                let holder = holder(agent, &self.to).await?;
                let rights = scope.between(agent.now(), self.lifetime.0);
                let rights = rights.ok_or_else(|| no_rights("--lifetime is no time at all."))?;
                let held = agent.grant(&holder, rights).await;
                let held =
                    held.map_err(|error| Failure::sdk(format!("Nothing was granted to {holder}"), &error))?;
                Ok(Granted {
                    grant_id: held.token().grant().grant_id.to_string(),
                    chain_id: held.chain_id().to_string(),
                    originator: held.originator().to_string(),
                    holder: held.holder().instance.to_string(),
                    rights: RightsView::from(held.rights()),
                })
            })
            .await?;
        context.terminal.show(&granted)
    }
}

/// The instance that was named, or the only live one of the principal that was.
async fn holder(agent: &Agent, name: &str) -> Result<InstanceId, Failure> {
    if let Ok(instance) = name.parse() {
        return Ok(instance);
    }
    let principal: PrincipalId = name
        .parse()
        .map_err(|error| no_rights(&format!("--to is neither an instance nor a principal: {error}.")))?;
    let instances = agent.instances().await;
    let instances = instances
        .map_err(|error| Failure::sdk(format!("The instances of {principal} are not known"), &error))?;
    let live = instances
        .into_iter()
        .filter(|(statement, standing)| standing == "live" && *statement.instance.principal() == principal);
    let mut live = live.map(|(statement, _)| statement.instance);
    match (live.next(), live.next()) {
        (Some(instance), None) => Ok(instance),
        (None, _) => Err(Failure::new(
            Exit::NotFound,
            "Nothing was granted",
            format!("{principal} does not run."),
            format!("Start it with a join token: countersign agent invite {principal}"),
        )),
        (Some(_), Some(_)) => Err(Failure::usage(
            "Nothing was granted",
            format!("{principal} runs more than once, and a grant is for one instance."),
            format!("Name one of them: countersign agent list {principal}"),
        )),
    }
}

impl View for Granted {
    fn write(&self, page: &mut Page) {
        let mut fields = vec![
            ("granted", self.grant_id.clone()),
            ("to", self.holder.clone()),
            ("for", self.originator.clone()),
        ];
        fields.extend(self.rights.fields());
        fields.push(("chain", self.chain_id.clone()));
        page.fields(&fields);
    }
}
