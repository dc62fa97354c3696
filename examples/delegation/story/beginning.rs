use super::Cast;
use crate::{
    page,
    process::Process,
    scope::principal,
    script::{Command, Outcome, field},
};

pub(super) async fn start() -> Outcome<Cast> {
    page::chapter(1, "A broker, and processes that join its trust domain");
    let directory = tempfile::Builder::new().prefix("countersign-").tempdir()?;
    let mut broker = Process::start("broker")?;
    let started = broker.ask(&Command::Start { directory: directory.path().display().to_string() }).await?;
    page::good(format!(
        "the broker listens on {}, mutual TLS 1.3, ledger in {}",
        field::<String>(&started, "address")?,
        directory.path().display()
    ));

    let mut olivia = Process::start("olivia")?;
    olivia.ask(&Command::Join { token: field(&started, "join_token")? }).await?;
    page::good("olivia, an admin, joined with the token that `init` printed; it works once");

    let (alice, _) = join(&mut olivia, "alice", "human/alice").await?;
    let (planner, planner_instance) = join(&mut olivia, "planner", "agent/planner").await?;
    let (researcher, _) = join(&mut olivia, "researcher", "agent/researcher").await?;
    let (fetcher, _) = join(&mut olivia, "fetcher", "agent/fetcher").await?;
    let (sorter, _) = join(&mut olivia, "sorter", "agent/sorter").await?;
    let (mut files, _) = join(&mut olivia, "files", "service/files").await?;
    let (mallory, _) = join(&mut olivia, "mallory", "agent/mallory").await?;
    files.ask(&Command::Serve).await?;
    page::good("each made its keys in memory, and got a certificate for five minutes; none has a right yet");
    Ok(Cast {
        directory,
        broker,
        olivia,
        alice,
        planner,
        researcher,
        fetcher,
        sorter,
        files,
        mallory,
        planner_instance,
    })
}

async fn join(olivia: &mut Process, name: &'static str, path: &str) -> Outcome<(Process, String)> {
    let invited = olivia.ask(&Command::Invite { principal: principal(path) }).await?;
    let mut process = Process::start(name)?;
    let joined = process.ask(&Command::Join { token: field(&invited, "token")? }).await?;
    Ok((process, field(&joined, "instance")?))
}
