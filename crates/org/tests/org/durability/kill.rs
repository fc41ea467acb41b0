//! The process is killed, without warning, while it writes to an embedded database.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use custodia_schema::Guid;

use crate::durability::journal::{Journal, State, verify};
use crate::durability::parts;
use crate::durability::site::{Place, Site};
use crate::durability::writers::{CLIENTS, Dice, Witness, Writers};

/// Kills in `make test`; `make soak` multiplies them.
const ROUNDS: u64 = 4;

/// Says on standard output what is begun and what was acknowledged, each in one write of one line.
struct Told;

fn tell(line: String) {
    let mut output = std::io::stdout().lock();
    // The parent reads until this process is gone; when it has gone itself, nobody is left to tell.
    let _ = output.write_all(line.as_bytes());
    let _ = output.flush();
}

impl Witness for Told {
    fn begun(&self, client: usize, account: Guid, state: State) {
        tell(format!("begun {client} {account} {}\n", state.map_or(-1, |state| state)));
    }

    fn acknowledged(&self, client: usize) {
        tell(format!("acknowledged {client}\n"));
    }
}

/// The process that is killed: it is told where and by which chance to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test that kills it"]
async fn writes_until_it_is_killed() {
    let mut lines = std::io::stdin().lines().map_while(Result::ok);
    let (Some(folder), Some(seed)) = (lines.next(), lines.next()) else { return };
    let seed: u64 = seed.parse().unwrap();
    let mut place = Place { folder: PathBuf::from(folder), postgres: None, file_layer: None, noise: 1000 + seed };
    let site = Site::open(&mut place).await;
    let writers = Writers::start(&site, Writers::fresh_journals(), seed, Arc::new(Told));
    while !writers.have_ended() {
        tokio::task::block_in_place(|| site.store.checkpoint());
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_the_death_of_the_process() {
    let kills = custodia_testbed::kills(ROUNDS);
    let dice = Dice::new(9);
    let mut acknowledged_in_all = 0;
    for part in parts(kills) {
        let folder = tempfile::tempdir().unwrap();
        let mut place = Place::files(&folder);
        Site::create(&mut place).await.close();
        let mut journals = Writers::fresh_journals();
        for round in part {
            println!("{round} of {kills}");
            let until = 20 + dice.below(150);
            // Each process begins with journals of its own: it writes other accounts than those before it.
            let mut written = run_and_kill(&place, round, until);
            let acknowledged: usize = written.iter().map(|journal| journal.acknowledged).sum();
            assert!(acknowledged >= until, "{acknowledged} of {until}");
            assert!(written.iter().any(|journal| journal.in_flight.is_some()), "it was killed at work");
            acknowledged_in_all += acknowledged;
            let site = Site::open(&mut place).await;
            journals.append(&mut written);
            let verdict = verify(&site, &journals.clone(), &mut journals).await;
            assert!(verdict.is_clean(), "round {round}: {verdict}");
            site.prove_whole().await;
            site.close();
        }
    }
    custodia_testbed::tell(&format!(
        "{kills} kills of the process, {acknowledged_in_all} writes acknowledged, none lost"
    ));
}

/// Starts the process, kills it when so many writes were acknowledged, and gives what it has told until it was gone.
fn run_and_kill(place: &Place, seed: u64, until: usize) -> Vec<Journal> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "durability::kill::writes_until_it_is_killed"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}\n{seed}", place.folder.display()).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut journals = vec![Journal::default(); CLIENTS];
    let (mut acknowledged, mut line) = (0, String::new());
    loop {
        line.clear();
        // After the kill this goes on until the pipe is empty: what was told before counts.
        if output.read_line(&mut line).unwrap() == 0 {
            break;
        }
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["begun", client, account, state] if line.ends_with('\n') => {
                let state: i64 = state.parse().unwrap();
                let state = (state >= 0).then_some(state);
                journals[client.parse::<usize>().unwrap()].begin(account.parse().unwrap(), state);
            }
            ["acknowledged", client] if line.ends_with('\n') => {
                journals[client.parse::<usize>().unwrap()].acknowledge();
                acknowledged += 1;
                if acknowledged == until {
                    child.kill().unwrap();
                }
            }
            // What the test harness says.
            _ => {}
        }
    }
    child.wait().unwrap();
    journals
}
