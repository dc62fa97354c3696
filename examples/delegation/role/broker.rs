//! The broker: the very code of `countersignd`, with its ledger in the directory it is given.

use std::{net::TcpListener, path::Path, sync::Arc};

use countersign_broker::{
    clock::SystemClock,
    config::Config,
    init,
    server::{self, Listeners, Options},
};
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    scope::{DOMAIN, MAX_BYTES, principal},
    script::{Command, Commands, Outcome, answer},
};

/// Who is an admin, and the one grant that may be issued.
fn configuration(api: &TcpListener, enrolment: &TcpListener) -> Outcome<String> {
    Ok(format!(
        r#"
trust_domain = "{DOMAIN}"
data_dir = "data"
key_dir = "keys"
listen = "{api}"
enrolment_listen = "{enrolment}"
admins = ["{olivia}"]

[[grant_rule]]
originator = "{alice}"
principal = "{planner}"
lifetime = "8h"
audiences = ["{files}"]
delegations_left = 3
budget = {{ unit = "calls", ceiling = 10000, per_call = 1 }}

[[grant_rule.capability]]
resource = "file:/**"
actions = ["read"]
constraints = [{{ argument = "{MAX_BYTES}", range = {{ min = 1, max = 65536 }} }}]
"#,
        api = api.local_addr()?,
        enrolment = enrolment.local_addr()?,
        olivia = principal("human/olivia"),
        alice = principal("human/alice"),
        planner = principal("agent/planner"),
        files = principal("service/files"),
    ))
}

pub(crate) async fn run() -> Outcome<()> {
    let mut commands = Commands::new();
    let Some(Command::Start { directory }) = commands.next().await? else { return Err("start first".into()) };
    let (api, enrolment) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    let text = configuration(&api, &enrolment)?;
    let config = Config::parse("the story's configuration", &text, Path::new(&directory))?;
    let join_token = init(&config, Arc::new(SystemClock)).await?.to_text().to_string();

    let (ready, bound) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let options = Options {
        listeners: Some(Listeners { api, enrolment }),
        ready: Some(ready),
        ..Options::until(async move { drop(stopped.await) })
    };
    let running = tokio::spawn(server::run(config, options));
    answer(match bound.await {
        Ok(bound) => Ok(json!({ "address": bound.api.to_string(), "join_token": join_token })),
        // It stopped before it was ready; it says why below.
        Err(_) => Err("the broker did not start".into()),
    });
    // It runs until the story ends.
    while commands.next().await?.is_some() {}
    let _ = stop.send(());
    Ok(running.await??)
}
