//! `countersign agent list`, `countersign agent invite`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_protocol::{
    identity::InstanceStatement,
    name::{PrincipalId, PrincipalKind},
    settings::LifetimeText,
};
use serde::Serialize;

use crate::{
    context::Context,
    failure::Failure,
    output_file,
    table::Page,
    terminal::{Format, View},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// List every running copy of every agent, service and person. Admins only.
    List(List),
    Invite(Invite),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only the copies of this principal.
    #[arg(value_name = "PRINCIPAL")]
    principal: Option<PrincipalId>,
    /// Also those that were revoked or locked.
    #[arg(long)]
    all: bool,
}

/// Make a join token, with which a program or a person can join once. Admins only.
///
/// The token is a secret until it is used. It is printed, or with --save written to a file that only
/// you can read; it is kept nowhere else.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// Who may join: spiffe://<trust domain>/<agent|human|service>/<name>.
    #[arg(value_name = "PRINCIPAL")]
    principal: PrincipalId,
    /// How long the token can be used, such as 15m.
    #[arg(long, default_value = "1h")]
    lifetime: LifetimeText,
    /// Write the token to this new file instead of printing it.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(Serialize)]
struct Instances {
    instances: Vec<Instance>,
}

#[derive(Serialize)]
struct Instance {
    instance: String,
    principal: String,
    kind: &'static str,
    standing: String,
    key: String,
    spki: String,
    configuration: String,
    attestor: String,
    generation: u32,
    expires: String,
}

#[derive(Serialize)]
struct Invitation {
    principal: String,
    lifetime_ms: u64,
    join_token: Option<String>,
    saved: Option<String>,
}

impl Agent {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Invite(invite) => invite.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let instances = context
            .as_person(async |agent, _| {
                let instances = agent.instances().await;
                instances.map_err(|error| Failure::sdk("The agents were not listed", &error))
            })
            .await?;
        let wanted = |(statement, standing): &(InstanceStatement, String)| {
            let whose = self.principal.as_ref().is_none_or(|wanted| statement.instance.principal() == wanted);
            whose && (self.all || standing == "live")
        };
        let instances = instances.into_iter().filter(wanted).map(Instance::from).collect();
        context.terminal.show(&Instances { instances })
    }
}

impl Invite {
    async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let lifetime = self.lifetime.0;
        let token = context
            .as_person(async |agent, _| {
                let token = agent.create_join_token(&self.principal, lifetime).await;
                token.map_err(|error| Failure::sdk(format!("{} was not invited", self.principal), &error))
            })
            .await?;
        let text = token.to_text();
        let mut invitation = Invitation {
            principal: self.principal.to_string(),
            lifetime_ms: lifetime.as_millis(),
            join_token: None,
            saved: None,
        };
        match &self.save {
            Some(path) => {
                output_file::write_secret(path, format!("{}\n", *text).as_bytes())?;
                invitation.saved = Some(path.display().to_string());
            }
            None => invitation.join_token = Some(text.to_string()),
        }
        let how = match self.principal.kind() {
            PrincipalKind::Human => "They join with: countersign join",
            PrincipalKind::Agent | PrincipalKind::Service => "The program joins with the SDK",
        };
        context.terminal.say(&format!(
            "The token lets {} join once, within {}. {how}. Send it by a way that others cannot read.",
            self.principal, self.lifetime
        ));
        match (context.terminal.format, &invitation.join_token) {
            // Nothing else, so that it can be piped on.
            (Format::Table, Some(token)) => context.terminal.print(&format!("{token}\n")),
            _ => context.terminal.show(&invitation),
        }
    }
}

impl From<(InstanceStatement, String)> for Instance {
    fn from((statement, standing): (InstanceStatement, String)) -> Self {
        let principal = statement.instance.principal();
        Self {
            instance: statement.instance.to_string(),
            principal: principal.to_string(),
            kind: match principal.kind() {
                PrincipalKind::Agent => "agent",
                PrincipalKind::Human => "human",
                PrincipalKind::Service => "service",
            },
            standing,
            key: statement.key.to_string(),
            spki: statement.spki.to_string(),
            configuration: statement.configuration.to_string(),
            attestor: statement.attestor.to_string(),
            generation: statement.generation,
            expires: statement.expires.to_string(),
        }
    }
}

impl View for Instances {
    const ROWS: Option<&'static str> = Some("instances");

    fn write(&self, page: &mut Page) {
        let row = |instance: &Instance| {
            let Instance { instance, standing, attestor, generation, expires, .. } = instance;
            vec![
                instance.clone(),
                standing.clone(),
                expires.clone(),
                generation.to_string(),
                attestor.clone(),
            ]
        };
        let rows = self.instances.iter().map(row).collect();
        page.table(
            &["INSTANCE", "STANDING", "CERTIFICATE UNTIL", "NUMBER", "ATTESTED BY"],
            rows,
            "There are none.",
        );
    }
}

impl View for Invitation {
    fn write(&self, page: &mut Page) {
        let saved = self.saved.clone().unwrap_or_default();
        page.fields(&[("invited", self.principal.clone()), ("token in", saved)]);
    }
}
