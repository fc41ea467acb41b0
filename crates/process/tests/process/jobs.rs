//! Jobs that delete: what they leave, what they count, who may have them done, and that each step is done once.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use custodia_org::{
    BulkDelete, Caller, Change, Error, JobBell, JobProgress, JobTerms, Organization, Precondition, Reference,
    WorkLimits,
};
use custodia_process::jobs::{Ended, JobRun, Options, Progress};
use custodia_query::Zone;
use custodia_schema::{Guid, Value};
use custodia_store::Random;
use futures::future::BoxFuture;

use crate::import::text;
use crate::world::{Engine, World};

/// Tells the child which folder to work in; the test is none without it.
const CHILD: &str = "CUSTODIA_TEST_JOB_CHILD";
/// The line by which the child says that the job is through.
const THROUGH: &str = "through";

fn options(holder: u128) -> Options {
    Options {
        terms: JobTerms { holder: Guid::from_u128(holder), lease_seconds: 60, running_max: 1, tries_max: 1_000 },
        step_rows: 7,
        step_ms: 1_000,
        zone: |_| Arc::new(Zone::utc()),
    }
}

/// A query of accounts whose `sic` is this.
fn accounts(sic: &str) -> String {
    format!(
        "<fetch><entity name=\"account\"><filter><condition attribute=\"sic\" operator=\"eq\" value=\"{sic}\"/></filter>\
         </entity></fetch>"
    )
}

/// Asks for a job; its id.
async fn ask(
    organization: &Organization,
    caller: &Caller,
    queries: &[String],
    start: Option<i64>,
) -> Result<Guid, Error> {
    let job = organization.new_id();
    let request = BulkDelete { name: "A job".into(), queries: queries.to_vec(), start };
    organization.change(caller, Change::BulkDelete(job, request)).await.map(|_| job)
}

/// Takes a job up and does it to its end.
async fn through(organization: &Organization, job: Guid) -> (Ended, JobProgress) {
    let mut run = JobRun::claim(organization, job, options(1)).await.unwrap().expect("the job is to be had");
    (finish(&mut run).await, run.progress())
}

async fn finish(run: &mut JobRun) -> Ended {
    for _ in 0..1_000_000 {
        if let Progress::Ended(ended) = run.step().await.unwrap() {
            return ended;
        }
    }
    panic!("the job does not get on");
}

/// Makes accounts; their ids.
async fn make(world: &World, caller: &Caller, count: usize, sic: &str) -> Vec<Guid> {
    make_all(world, caller, "account", count, |n| vec![("name", text(&format!("Account {n}"))), ("sic", text(sic))])
        .await
}

async fn make_all<'c>(
    world: &World,
    caller: &Caller,
    table: &str,
    count: usize,
    columns: impl Fn(usize) -> Vec<(&'c str, Value)>,
) -> Vec<Guid> {
    let mut ids = Vec::with_capacity(count);
    let mut inputs = Vec::with_capacity(count);
    for n in 0..count {
        let id = world.organization.new_id();
        ids.push(id);
        inputs.push(Change::Create(custodia_org::RecordInput { id: Some(id), ..world.input(table, &columns(n)) }));
    }
    for part in inputs.chunks(1_000) {
        world.organization.change(caller, Change::All(part.to_vec())).await.unwrap();
    }
    ids
}

/// State, status, deleted, not deleted: as the two records of a job show them to its user.
async fn shown(world: &World, job: Guid) -> (Vec<Value>, Vec<Value>) {
    let mut jobs = world
        .rows_where("asyncoperation", &["statecode", "statuscode"], &[("asyncoperationid", Value::Guid(job))])
        .await;
    let columns = ["statecode", "statuscode", "successcount", "failurecount"];
    let mut operations =
        world.rows_where("bulkdeleteoperation", &columns, &[("asyncoperationid", Value::Guid(job))]).await;
    (jobs.pop().unwrap(), operations.pop().unwrap())
}

fn numbers<const N: usize>(numbers: [i64; N]) -> Vec<Value> {
    numbers.map(Value::BigInt).to_vec()
}

async fn count(world: &World, table: &str) -> usize {
    world.rows(table, &["createdon"]).await.len()
}

/// Counts how often it is rung.
#[derive(Default)]
struct Bell(AtomicU64);

impl JobBell for Bell {
    fn ring(&self, _: Guid) -> BoxFuture<'_, custodia_store::Result<()>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }
}

/// Noise that another handle of the organisation does not make too.
struct Noise(Organization);

impl Random for Noise {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            // The end of an id is noise.
            chunk.copy_from_slice(&self.0.new_id().as_bytes()[16 - chunk.len()..]);
        }
    }
}

/// Runs test bodies on both engines.
macro_rules! on_both_engines {
    ($($name:ident;)*) => {
        $(
            mod $name {
                #[tokio::test(flavor = "multi_thread")]
                async fn sqlite() {
                    let folder = tempfile::tempdir().unwrap();
                    let world = crate::world::World::new(crate::world::Engine::Sqlite, folder.path()).await;
                    super::bodies::$name(world, folder.path()).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn postgresql() {
                    let folder = tempfile::tempdir().unwrap();
                    let world = crate::world::World::new(crate::world::Engine::Postgres, folder.path()).await;
                    super::bodies::$name(world, folder.path()).await;
                }
            }
        )*
    };
}

on_both_engines! {
    what_queries_find_is_deleted_and_nothing_else;
    what_cannot_be_deleted_is_counted_and_passed_over;
    rights_count_as_they_are_at_each_step;
    a_cancelled_job_stops_after_the_step_at_hand;
    an_organisation_has_so_many_open_jobs;
    a_job_waits_for_its_time;
    one_node_works_on_a_job_and_another_takes_it_over;
    a_job_that_never_gets_on_fails;
    more_than_one_request_removes_goes_in_steps;
    what_was_moved_away_meanwhile_stays;
    a_job_at_work_is_not_put_off;
    the_bell_rings_once_and_not_for_who_may_not;
    a_dependent_that_forbids_the_delete_is_found_before_anything_goes;
    a_step_that_was_stored_and_not_told_of_is_not_counted_again;
}

mod bodies {
    use super::*;

    pub async fn what_queries_find_is_deleted_and_nothing_else(world: World, _: &Path) {
        let admin = world.admin();
        let operator = Caller::platform("test", Guid::from_u128(9));
        world.organization.audit_table(&operator, world.table("account"), true).await.unwrap();
        make(&world, &admin, 50, "old").await;
        make(&world, &admin, 3, "older").await;
        make(&world, &admin, 10, "new").await;
        let job = ask(&world.organization, &admin, &[accounts("old"), accounts("older")], None).await.unwrap();
        assert_eq!(shown(&world, job).await, (numbers([0, 0]), numbers([0, 0, 0, 0])));
        let mut run = JobRun::claim(&world.organization, job, options(1)).await.unwrap().unwrap();
        assert_eq!(run.step().await.unwrap(), Progress::More);
        // Each step is stored with what it did.
        assert_eq!(shown(&world, job).await, (numbers([2, 20]), numbers([2, 20, 7, 0])));
        assert_eq!(count(&world, "account").await, 56);
        assert_eq!(finish(&mut run).await, Ended::Succeeded);
        assert_eq!(shown(&world, job).await, (numbers([3, 30]), numbers([3, 30, 53, 0])));
        assert_eq!(count(&world, "account").await, 10);
        assert_eq!(world.organization.open_jobs().await.unwrap(), []);
        assert!(JobRun::claim(&world.organization, job, options(2)).await.unwrap().is_none());
        // A query of rows beside linked ones has a row for each combination; each account goes once.
        let parent = make(&world, &admin, 1, "linked").await[0];
        let of = Value::Lookup(world.table("account"), parent);
        make_all(&world, &admin, "contact", 20, |n| {
            vec![("lastname", text(&n.to_string())), ("parentcustomerid", of.clone())]
        })
        .await;
        let linked = "<fetch><entity name=\"account\"><link-entity name=\"contact\" from=\"parentcustomerid\" to=\"accountid\"/>\
            </entity></fetch>";
        let job = ask(&world.organization, &admin, &[linked.to_owned()], None).await.unwrap();
        let (ended, progress) = through(&world.organization, job).await;
        assert_eq!((ended, progress.succeeded, progress.failed), (Ended::Succeeded, 1, 0));
        assert_eq!((count(&world, "account").await, count(&world, "contact").await), (10, 0));
        // The audit says who it was.
        let entries = world.organization.audit_entries(None, 10, None).await.unwrap();
        assert!(entries.iter().any(|entry| entry.entry.origin == "BulkDelete" && entry.entry.user == admin.user));
    }

    pub async fn what_cannot_be_deleted_is_counted_and_passed_over(world: World, _: &Path) {
        let admin = world.admin();
        let ids = make(&world, &admin, 20, "old").await;
        for id in [ids[0], ids[7], ids[8], ids[19]] {
            let of = Value::Lookup(world.table("account"), id);
            world.create(&admin, "invoice", &[("name", text("I")), ("customerid", of)]).await;
        }
        let job = ask(&world.organization, &admin, &[accounts("old")], None).await.unwrap();
        let (ended, progress) = through(&world.organization, job).await;
        assert_eq!((ended, progress.succeeded, progress.failed), (Ended::Succeeded, 16, 4));
        assert_eq!(shown(&world, job).await, (numbers([3, 30]), numbers([3, 30, 16, 4])));
        assert_eq!(count(&world, "account").await, 4);
        let told = world.rows_where("asyncoperation", &["message"], &[("asyncoperationid", Value::Guid(job))]).await;
        assert!(matches!(&told[0][0], Value::Text(why) if why.contains("records of table 'invoice' depend on it")));
    }

    pub async fn a_step_that_was_stored_and_not_told_of_is_not_counted_again(world: World, _: &Path) {
        let admin = world.admin();
        let ids = make(&world, &admin, 10, "old").await;
        let of = Value::Lookup(world.table("account"), ids[1]);
        world.create(&admin, "invoice", &[("name", text("I")), ("customerid", of)]).await;
        let job = ask(&world.organization, &admin, &[accounts("old")], None).await.unwrap();
        let mut told = JobRun::claim(&world.organization, job, options(1)).await.unwrap().unwrap();
        // The same node, which knows nothing of the step that the other run does.
        let mut untold = JobRun::claim(&world.organization, job, options(1)).await.unwrap().unwrap();
        assert_eq!(told.step().await.unwrap(), Progress::More);
        assert_eq!(finish(&mut untold).await, Ended::Succeeded);
        assert_eq!(shown(&world, job).await, (numbers([3, 30]), numbers([3, 30, 9, 1])));
    }

    pub async fn rights_count_as_they_are_at_each_step(world: World, _: &Path) {
        let admin = world.admin();
        let role = "Vice President of Sales";
        let (vera, sam) = (world.user("vera", &[role]).await, world.user("sam", &["Salesperson"]).await);
        make(&world, &admin, 40, "old").await;
        // Without the privilege nothing begins.
        let refused = ask(&world.organization, &sam, &[accounts("old")], None).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        assert_eq!(count(&world, "asyncoperation").await, 0);

        let job = ask(&world.organization, &vera, &[accounts("old")], None).await.unwrap();
        let mut run = JobRun::claim(&world.organization, job, options(1)).await.unwrap().unwrap();
        assert_eq!(run.step().await.unwrap(), Progress::More);
        let link = world.role_of(&vera, role).await;
        world.organization.disassociate(&admin, link.clone()).await.unwrap();
        let ended = finish(&mut run).await;
        assert!(matches!(&ended, Ended::Failed(_)), "{ended:?}");
        assert_eq!(shown(&world, job).await, (numbers([3, 31]), numbers([3, 31, 7, 0])));
        assert_eq!(count(&world, "account").await, 33);

        // The records of others are no longer hers to delete, her own are.
        world.organization.associate(&admin, link).await.unwrap();
        make(&world, &vera, 3, "old").await;
        let job = ask(&world.organization, &vera, &[accounts("old")], None).await.unwrap();
        let delete = world.organization.schema().privilege_named("prvDeleteAccount").unwrap().id;
        let head = world.role_of(&vera, role).await.other;
        let custodia_query::RowKey::Id(head) = head.key else { panic!("an id") };
        let change = custodia_org::RoleChange::Add(vec![(delete, custodia_schema::Level::Basic)]);
        world.organization.change_role(&admin, head, change).await.unwrap();
        let (ended, progress) = through(&world.organization, job).await;
        assert_eq!((ended, progress.succeeded, progress.failed), (Ended::Succeeded, 3, 33));
        assert_eq!(count(&world, "account").await, 33);

        // Giving a job away gives nobody's rights to it.
        make(&world, &admin, 2, "last").await;
        let job = ask(&world.organization, &vera, &[accounts("last")], None).await.unwrap();
        let given = world.input("asyncoperation", &[("ownerid", Value::Lookup(world.table("systemuser"), admin.user))]);
        let target = Reference::id(world.table("asyncoperation"), job);
        let _whether_or_not = world.organization.update(&vera, target, given, Precondition::Exists).await;
        let (_, progress) = through(&world.organization, job).await;
        assert_eq!((progress.succeeded, progress.failed), (0, 2));
    }

    pub async fn a_cancelled_job_stops_after_the_step_at_hand(world: World, _: &Path) {
        let vera = world.user("vera", &["Vice President of Sales"]).await;
        make(&world, &vera, 30, "old").await;
        let job = ask(&world.organization, &vera, &[accounts("old")], None).await.unwrap();
        let mut run = JobRun::claim(&world.organization, job, options(1)).await.unwrap().unwrap();
        assert_eq!(run.step().await.unwrap(), Progress::More);

        let target = Reference::id(world.table("asyncoperation"), job);
        let set = async |state, status| {
            let input = world.input(
                "asyncoperation",
                &[("statecode", Value::Integer(state)), ("statuscode", Value::Integer(status))],
            );
            world.organization.update(&vera, target.clone(), input, Precondition::Exists).await
        };
        for (state, status) in [(3, 30), (3, 31), (0, 0), (1, 10)] {
            assert!(matches!(set(state, status).await, Err(Error::Invalid(_))), "{state} {status}");
        }
        let open = world.organization.delete(&world.admin(), target.clone(), Precondition::None).await;
        assert!(matches!(open, Err(Error::Invalid(_))), "{open:?}");
        set(3, 32).await.unwrap();
        assert_eq!(finish(&mut run).await, Ended::Lost);
        assert_eq!(shown(&world, job).await, (numbers([3, 32]), numbers([3, 32, 7, 0])));
        assert_eq!(count(&world, "account").await, 23);
        assert!(matches!(set(0, 0).await, Err(Error::Invalid(_))), "it has ended");
        world.organization.delete(&world.admin(), target.clone(), Precondition::None).await.unwrap();
        assert_eq!(count(&world, "bulkdeleteoperation").await, 0);

        // By the command line, and only once.
        let job = ask(&world.organization, &vera, &[accounts("old")], None).await.unwrap();
        let operator = Caller::platform("test", Guid::from_u128(9));
        assert!(world.organization.cancel_job(&operator, job).await.unwrap());
        assert!(!world.organization.cancel_job(&operator, job).await.unwrap());
        assert!(JobRun::claim(&world.organization, job, options(1)).await.unwrap().is_none());
    }

    pub async fn an_organisation_has_so_many_open_jobs(world: World, _: &Path) {
        let limited = world.within(WorkLimits { open_jobs: 2, ..WorkLimits::default() });
        let admin = world.admin();
        let first = ask(&limited, &admin, &[accounts("old")], None).await.unwrap();
        ask(&limited, &admin, &[accounts("old")], Some(crate::world::NOW + 500)).await.unwrap();
        let refused = ask(&limited, &admin, &[accounts("old")], None).await;
        assert!(matches!(refused, Err(Error::TooManyJobs { limit: 2 })), "{refused:?}");
        assert_eq!(count(&world, "asyncoperation").await, 2);
        assert_eq!(through(&limited, first).await.0, Ended::Succeeded);
        ask(&limited, &admin, &[accounts("old")], None).await.unwrap();
    }

    pub async fn a_job_waits_for_its_time(world: World, _: &Path) {
        let admin = world.admin();
        make(&world, &admin, 3, "old").await;
        let start = crate::world::NOW + 3_600;
        let job = ask(&world.organization, &admin, &[accounts("old")], Some(start)).await.unwrap();
        assert_eq!(shown(&world, job).await.0, numbers([1, 10]));
        assert_eq!(world.organization.open_jobs().await.unwrap()[0].due, start);
        assert!(JobRun::claim(&world.organization, job, options(1)).await.unwrap().is_none());
        world.clock.pass(3_600);
        assert_eq!(through(&world.organization, job).await.1.succeeded, 3);
    }

    pub async fn one_node_works_on_a_job_and_another_takes_it_over(world: World, folder: &Path) {
        let admin = world.admin();
        make(&world, &admin, 40, "old").await;
        // On PostgreSQL with connections and caches of its own; an embedded database has one process.
        let second = match &world.postgres {
            Some(_) => Some(World::reopen(folder, world.postgres.clone(), world.administrator).await),
            None => None,
        };
        let other = second.as_ref().map_or_else(|| world.within(WorkLimits::default()), |w| w.organization.clone());
        let job = ask(&world.organization, &admin, &[accounts("old")], None).await.unwrap();
        // Both at once: one has it.
        let (one, two) =
            tokio::join!(JobRun::claim(&world.organization, job, options(1)), JobRun::claim(&other, job, options(2)),);
        let (one, two) = (one.unwrap(), two.unwrap());
        assert!(one.is_some() != two.is_some());
        let is_first = one.is_some();
        let mut slow = one.or(two).unwrap();
        assert_eq!(slow.step().await.unwrap(), Progress::More);
        let (node, terms) = if is_first { (&other, options(2)) } else { (&world.organization, options(1)) };
        assert!(JobRun::claim(node, job, terms).await.unwrap().is_none());
        // A second job of the organisation waits for the first, whoever asks.
        let next = ask(&world.organization, &admin, &[accounts("nothing")], None).await.unwrap();
        assert!(JobRun::claim(node, next, terms).await.unwrap().is_none());

        // The first is not heard of for longer than its lease: what it left is the other's, and it itself stops.
        world.clock.pass(62);
        second.iter().for_each(|second| second.clock.pass(62));
        let mut taken = JobRun::claim(node, job, terms).await.unwrap().expect("the lease has ended");
        assert_eq!(taken.progress().succeeded, 7);
        assert_eq!(taken.step().await.unwrap(), Progress::More);
        assert_eq!(finish(&mut slow).await, Ended::Lost);
        assert_eq!(finish(&mut taken).await, Ended::Succeeded);
        assert_eq!(shown(&world, job).await.1, numbers([3, 30, 40, 0]));

        // One that ends in order lets go at once.
        make(&world, &admin, 10, "old").await;
        let job = ask(&world.organization, &admin, &[accounts("old")], None).await.unwrap();
        let mut run = JobRun::claim(&world.organization, job, options(1)).await.unwrap().unwrap();
        assert_eq!(run.step().await.unwrap(), Progress::More);
        run.release().await.unwrap();
        let mut run = JobRun::claim(&other, job, options(2)).await.unwrap().expect("it was let go");
        assert_eq!(finish(&mut run).await, Ended::Succeeded);
        assert_eq!(shown(&world, job).await.1, numbers([3, 30, 10, 0]));
    }

    pub async fn a_job_that_never_gets_on_fails(world: World, _: &Path) {
        let admin = world.admin();
        make(&world, &admin, 3, "old").await;
        let job = ask(&world.organization, &admin, &[accounts("old")], None).await.unwrap();
        let mut options = options(1);
        options.terms.tries_max = 3;
        for _ in 0..3 {
            // Whoever takes it up is gone before a step is done.
            assert!(JobRun::claim(&world.organization, job, options).await.unwrap().is_some());
            world.clock.pass(62);
        }
        assert!(JobRun::claim(&world.organization, job, options).await.unwrap().is_none());
        assert_eq!(shown(&world, job).await.0, numbers([3, 31]));
        assert_eq!(count(&world, "account").await, 3);
    }

    /// An account with more hanging on it than one request removes: contacts with tasks, accounts that lose their parent,
    /// members of a list. Beside it another one with a contact.
    async fn large(world: &World, contacts: usize) -> (Guid, Guid, Vec<Guid>) {
        let admin = world.admin();
        let (root, other) = (make(world, &admin, 1, "large").await[0], make(world, &admin, 1, "other").await[0]);
        let of = |table: &str, id| Value::Lookup(world.table(table), id);
        let contact = |n: usize| vec![("lastname", text(&n.to_string())), ("parentcustomerid", of("account", root))];
        let ids = make_all(world, &admin, "contact", contacts, contact).await;
        let task = |n: usize| vec![("subject", text("T")), ("regardingobjectid", of("contact", ids[n]))];
        make_all(world, &admin, "task", contacts / 10, task).await;
        let below = |n: usize| vec![("name", text(&n.to_string())), ("parentaccountid", of("account", root))];
        make_all(world, &admin, "account", contacts / 5, below).await;
        world
            .create(&admin, "contact", &[("lastname", text("Other")), ("parentcustomerid", of("account", other))])
            .await;
        (root, other, ids)
    }

    /// So many that one request does not remove them.
    fn many() -> (usize, WorkLimits) {
        match custodia_testbed::effort() {
            1 => (300, WorkLimits { cascade_rows: 100, ..WorkLimits::default() }),
            _ => (25_000, WorkLimits::default()),
        }
    }

    pub async fn more_than_one_request_removes_goes_in_steps(world: World, _: &Path) {
        let (contacts, limits) = many();
        let (root, other, _) = large(&world, contacts).await;
        let organization = world.within(limits);
        let admin = world.admin();
        let target = Reference::id(world.table("account"), root);
        let refused = organization.delete(&admin, target, Precondition::None).await;
        let Err(error @ Error::CascadeTooLarge { .. }) = refused else { panic!("{refused:?}") };
        assert!(error.to_string().contains("BulkDelete"), "{error}");
        assert_eq!(count(&world, "contact").await, contacts + 1);

        let job = ask(&organization, &admin, &[accounts("large")], None).await.unwrap();
        // Whoever takes it up begins the walk anew, and finds what is left.
        let mut first = JobRun::claim(&organization, job, options(1)).await.unwrap().unwrap();
        for _ in 0..contacts / 6 {
            assert_eq!(first.step().await.unwrap(), Progress::More);
        }
        let left = count(&world, "contact").await;
        assert!(left < contacts && left > 1, "{left} of {contacts}");
        drop(first);
        world.clock.pass(62);
        let mut run = JobRun::claim(&organization, job, options(2)).await.unwrap().unwrap();
        assert_eq!(finish(&mut run).await, Ended::Succeeded);
        assert_eq!(shown(&world, job).await.1, numbers([3, 30, 1, 0]));
        assert_eq!((count(&world, "contact").await, count(&world, "task").await), (1, 0));
        assert_eq!(count(&world, "activitypointer").await, 0);
        let accounts = world.rows("account", &["parentaccountid"]).await;
        assert_eq!(accounts.len(), contacts / 5 + 1);
        assert!(accounts.iter().all(|row| row[0].is_null()));
        assert_eq!(world.rows_where("account", &["name"], &[("accountid", Value::Guid(other))]).await.len(), 1);
    }

    pub async fn what_was_moved_away_meanwhile_stays(world: World, _: &Path) {
        let (contacts, limits) = many();
        let (_, other, ids) = large(&world, contacts).await;
        let organization = world.within(limits);
        let admin = world.admin();
        let job = ask(&organization, &admin, &[accounts("large")], None).await.unwrap();
        let mut run = JobRun::claim(&organization, job, options(1)).await.unwrap().unwrap();
        // All is looked up before the first goes.
        for _ in 0..contacts {
            if count(&world, "task").await < contacts / 10 {
                break;
            }
            assert_eq!(run.step().await.unwrap(), Progress::More);
        }
        let tasks = world.rows("task", &["regardingobjectid"]).await;
        assert!(!tasks.is_empty() && tasks.len() < contacts / 10, "{} tasks", tasks.len());
        let with_task = tasks[0][0].guid().unwrap();
        let to = Value::Lookup(world.table("account"), other);
        let moved = [with_task, *ids.last().unwrap()];
        for contact in moved {
            let target = Reference::id(world.table("contact"), contact);
            let input = world.input("contact", &[("parentcustomerid", to.clone())]);
            world.organization.update(&admin, target, input, Precondition::Exists).await.unwrap();
        }
        assert_eq!(finish(&mut run).await, Ended::Succeeded);
        assert_eq!(shown(&world, job).await.1, numbers([3, 30, 1, 0]));
        for contact in moved {
            let row = world.rows_where("contact", &["parentcustomerid"], &[("contactid", Value::Guid(contact))]).await;
            assert_eq!(row.first().and_then(|row| row[0].guid()), Some(other));
        }
        assert_eq!((count(&world, "contact").await, count(&world, "account").await), (3, contacts / 5 + 1));
        // What hangs on one that was moved stays with it.
        let tasks = world.rows("task", &["regardingobjectid"]).await;
        assert_eq!(tasks.iter().map(|row| row[0].guid()).collect::<Vec<_>>(), [Some(with_task)]);
    }

    pub async fn the_bell_rings_once_and_not_for_who_may_not(world: World, _: &Path) {
        let bell = Arc::new(Bell::default());
        let rung = || bell.0.load(Ordering::Relaxed);
        let (database, clock) = (world.organization.database().clone(), world.clock.clone());
        let noise = Arc::new(Noise(world.organization.clone()));
        let limits = WorkLimits::default();
        let organization = Organization::with_limits("demo", database, clock, noise, limits, Some(bell.clone()));
        let (admin, sam) = (world.admin(), world.user("sam", &["Salesperson"]).await);
        let job = || {
            let request = BulkDelete { name: "A job".into(), queries: vec![accounts("old")], start: None };
            Change::BulkDelete(world.organization.new_id(), request)
        };
        let refused = organization.change(&sam, job()).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        let refused = organization.change_all(vec![(sam.clone(), job()), (admin.clone(), job())]).await;
        assert!(
            matches!(&refused, Err(Error::Part { at: 0, error }) if matches!(**error, Error::Denied(_))),
            "{refused:?}"
        );
        assert_eq!(rung(), 0);
        organization.change(&admin, job()).await.unwrap();
        assert_eq!(rung(), 1);
        organization.change_all(vec![(admin.clone(), job()), (admin.clone(), job())]).await.unwrap();
        assert_eq!((rung(), organization.open_jobs().await.unwrap().len()), (2, 3));
    }

    pub async fn a_job_at_work_is_not_put_off(world: World, _: &Path) {
        let admin = world.admin();
        make(&world, &admin, 10, "old").await;
        let later = crate::world::NOW + 3_600;
        let put_off = async |job| {
            let input = world.input("asyncoperation", &[("postponeuntil", Value::DateTime(later))]);
            let target = Reference::id(world.table("asyncoperation"), job);
            world.organization.update(&admin, target, input, Precondition::Exists).await
        };
        let first = ask(&world.organization, &admin, &[accounts("old")], None).await.unwrap();
        let next = ask(&world.organization, &admin, &[accounts("old")], None).await.unwrap();
        let mut run = JobRun::claim(&world.organization, first, options(1)).await.unwrap().unwrap();
        assert_eq!(run.step().await.unwrap(), Progress::More);
        let refused = put_off(first).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        put_off(next).await.unwrap();
        assert!(JobRun::claim(&world.organization, next, options(1)).await.unwrap().is_none());
        assert_eq!(finish(&mut run).await, Ended::Succeeded);
    }

    pub async fn a_dependent_that_forbids_the_delete_is_found_before_anything_goes(world: World, _: &Path) {
        let (root, _, contacts) = large(&world, 150).await;
        let organization = world.within(WorkLimits { cascade_rows: 100, ..WorkLimits::default() });
        let admin = world.admin();
        let of = Value::Lookup(world.table("contact"), contacts[40]);
        let invoice = world.create(&admin, "invoice", &[("name", text("I")), ("customerid", of)]).await;
        let job = ask(&organization, &admin, &[accounts("large")], None).await.unwrap();
        let (ended, progress) = through(&organization, job).await;
        assert_eq!((ended, progress.succeeded, progress.failed), (Ended::Succeeded, 0, 1));
        assert_eq!(count(&world, "contact").await, 151);
        let told = world.rows_where("asyncoperation", &["message"], &[("asyncoperationid", Value::Guid(job))]).await;
        assert!(matches!(&told[0][0], Value::Text(why) if why.contains("'invoice'")), "{told:?}");

        // Nor does anything go when the user may not delete the record itself.
        organization.delete(&admin, Reference::id(world.table("invoice"), invoice), Precondition::None).await.unwrap();
        let sue = world.user("sue", &["Salesperson"]).await;
        let gone = world.rows("account", &["accountid"]).await.len();
        let role = custodia_org::RoleChange::Add(vec![(
            world.organization.schema().privilege_named("prvBulkDelete").unwrap().id,
            custodia_schema::Level::Global,
        )]);
        let custodia_query::RowKey::Id(salesperson) = world.role_of(&sue, "Salesperson").await.other.key else {
            panic!("an id")
        };
        world.organization.change_role(&admin, salesperson, role).await.unwrap();
        let job = ask(&organization, &sue, &[accounts("large")], None).await.unwrap();
        let (_, progress) = through(&organization, job).await;
        assert_eq!(progress.succeeded, 0);
        assert_eq!(world.rows("account", &["accountid"]).await.len(), gone);
        assert_eq!(count(&world, "contact").await, 151);
        assert_eq!(world.rows_where("account", &["name"], &[("accountid", Value::Guid(root))]).await.len(), 1);
    }
}

/// The child: goes on with the job of a folder, and says how far it is.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "the parent tells the child by its environment what to do")]
async fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let [job, round, postgres, folder] = told.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
    let postgres = (!postgres.is_empty()).then(|| postgres.to_owned());
    let world = World::reopen(Path::new(folder), postgres, Guid::nil()).await;
    let round: i64 = round.parse().unwrap();
    // Later than the lease of the one before.
    world.clock.pass(62 * round);
    // Straight to the descriptor: the test harness would keep what is printed.
    let say =
        |line: String| std::fs::OpenOptions::new().append(true).open("/dev/stderr").unwrap().write_all(line.as_bytes());
    let limits = WorkLimits { cascade_rows: 100, ..WorkLimits::default() };
    let organization = world.within(limits);
    let holder = u128::try_from(round).unwrap();
    let job = Guid::try_parse(job).unwrap();
    // The lease has ended: what cannot be claimed is over. The one before was killed before it said so; what it did is counted.
    let Some(mut run) = JobRun::claim(&organization, job, options(holder)).await.unwrap() else {
        say(format!("{THROUGH} before\n")).unwrap();
        return;
    };
    loop {
        match run.step().await.unwrap() {
            Progress::More => say(format!("done {}\n", run.progress().succeeded)).unwrap(),
            Progress::Ended(ended) => break say(format!("{THROUGH} {ended:?}\n")).unwrap(),
        }
    }
}

/// Runs the child; kills it when it has said `lines` lines. Whether it came through.
fn run_child(told: &str, lines: usize) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["jobs::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, told)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut left = lines;
    let mut through = false;
    while left > 0 {
        let Some(line) = said.next() else { break };
        assert!(!line.contains("panicked"), "{line}: {:?}", said.collect::<Vec<_>>());
        through |= line.starts_with(THROUGH);
        left -= usize::from(line.starts_with("done"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // It may have come through between its last line and its end.
    through || said.any(|line| line.starts_with(THROUGH))
}

/// 200 accounts of which some cannot be deleted, and one with more than one request removes: killed at any moment, the job comes
/// to the same counts.
async fn killed_jobs_come_to_the_same(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(engine, folder.path()).await;
    let admin = world.admin();
    let ids = make(&world, &admin, 200, "old").await;
    let of = |table: &str, id| Value::Lookup(world.table(table), id);
    for id in [ids[3], ids[90], ids[199]] {
        world.create(&admin, "invoice", &[("name", text("I")), ("customerid", of("account", id))]).await;
    }
    let contact = |n: usize| vec![("lastname", text(&n.to_string())), ("parentcustomerid", of("account", ids[50]))];
    make_all(&world, &admin, "contact", 150, contact).await;
    let job = ask(&world.organization, &admin, &[accounts("old")], None).await.unwrap();
    let (administrator, postgres) = (world.administrator, world.postgres.clone());
    world.close();

    let (mut kills, mut pace) = (0, 1_usize);
    loop {
        pace = pace.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let told = format!("{job} {} {} {}", kills + 1, postgres.clone().unwrap_or_default(), folder.path().display());
        if run_child(&told, 1 + (pace >> 33) % 8) {
            break;
        }
        kills += 1;
        assert!(kills < 300, "the job does not get on");
    }
    assert!(kills >= 3, "killed {kills} times only");
    let world = World::reopen(folder.path(), postgres, administrator).await;
    assert_eq!(shown(&world, job).await, (numbers([3, 30]), numbers([3, 30, 197, 3])), "after {kills} kills");
    assert_eq!((count(&world, "account").await, count(&world, "contact").await), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_jobs_come_to_the_same_on_sqlite() {
    killed_jobs_come_to_the_same(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_jobs_come_to_the_same_on_postgresql() {
    killed_jobs_come_to_the_same(Engine::Postgres).await;
}
