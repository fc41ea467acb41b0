//! Why users of generated worlds have a right or lack it, as the gate explains it, against the oracle: the verdict, the roles
//! that give the privilege, the ways by which each of them alone reaches the record, and what opens a column.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use custodia_oracle::{
    ColumnRight, Coverage, DERIVED_COLUMNS, GrantPath, Held, Hierarchy, MASKED_COLUMNS, Operation, Protection, Refusal,
    RowView, SECURED_COLUMNS, TextSight, Unmasked, World, WorldTable, column_of_row_open, column_open, held, may,
    opening_profiles, sharers_of_column, text_sight,
};
use custodia_org::{
    AccessQuestion, Asked, Caller, Error, Explanation, Granted, Principal, Reached, RightQuestion, Supposed,
};
use custodia_schema::{ColumnId, Guid, PrivilegeKind, TableId};
use custodia_testbed::effort;
use futures::StreamExt;

use crate::security::stage::{Sample, Stage};
use crate::world::Engine;

/// How often a thing must have occurred to count as tested.
const OFTEN: u64 = 5;
/// Worlds of one engine, and those that are explained at the same time.
const WORLDS: u64 = 48;
const WORLDS_AT_ONCE: usize = 4;
/// One in so many of all questions about rows and columns, and of those about rows that are reached in a rare way.
const ONE_IN: usize = 44;
const RARE_ONE_IN: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explanations_agree_with_the_oracle_on_sqlite() {
    explanations_agree_with_the_oracle(Engine::Sqlite, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explanations_agree_with_the_oracle_on_postgres() {
    explanations_agree_with_the_oracle(Engine::Postgres, 1_000_000).await;
}

async fn explanations_agree_with_the_oracle(engine: Engine, first: u64) {
    let made = Hierarchy::ALL.map(|hierarchy| Stage::with_hierarchy(engine, hierarchy));
    let stages = futures::future::join_all(made).await;
    let of_seed = |seed| stages.iter().find(|stage| stage.hierarchy == Hierarchy::of_seed(seed)).unwrap();
    let seeds = first..first + WORLDS * u64::from(effort());
    let worlds = futures::future::join_all(seeds.map(|seed| of_seed(seed).world(seed, None))).await;
    let explained = worlds.into_iter().map(|world| tokio::spawn(explain_world(Arc::clone(of_seed(world.seed)), world)));
    let mut explained = futures::stream::iter(explained).buffer_unordered(WORLDS_AT_ONCE);
    let (mut coverage, mut columns) = (Coverage::default(), BTreeMap::new());
    while let Some(found) = explained.next().await {
        let found = found.unwrap();
        let shown = &found.differences[..found.differences.len().min(5)];
        assert!(found.differences.is_empty(), "{} differences:\n{}", found.differences.len(), shown.join("\n"));
        coverage.add(&found.coverage);
        for (what, count) in found.columns {
            *columns.entry(what).or_insert(0) += count;
        }
    }
    let about_columns = columns.values().sum::<u64>();
    custodia_testbed::tell(&format!(
        "explanations on {engine:?}: {} questions, {about_columns} of them about columns",
        coverage.questions() + about_columns
    ));
    println!("{}\n{columns:?}", coverage.report());
    let mut rare = Vec::new();
    for path in GrantPath::OF_ROWS.into_iter().filter(|path| coverage.path(*path) < OFTEN) {
        rare.push(format!("{path:?}"));
    }
    for what in ["open", "open by a profile", "shared", "masked", "closed", "refused to others"] {
        if columns.get(what).copied().unwrap_or(0) < OFTEN {
            rare.push(what.to_owned());
        }
    }
    assert!(rare.is_empty(), "too rare to count as tested: {rare:?}");
}

/// What came of one world.
#[derive(Default)]
struct Found {
    differences: Vec<String>,
    coverage: Coverage,
    /// What was met beside rights on rows.
    columns: BTreeMap<&'static str, u64>,
}

/// Asks some of what there is to explain: as somebody who may be told everything, or as the user.
async fn explain_world(stage: Arc<Stage>, world: World) -> Found {
    let mut turns = Sample::new(world.seed, ONE_IN);
    let mut explaining = Explaining { stage: &stage, world: &world, found: Found::default() };
    for user in &world.users {
        for row in world.rows() {
            for kind in PrivilegeKind::ALL.into_iter().filter(|kind| *kind != PrivilegeKind::Create) {
                let take = turns.take();
                if take || is_rare(&world, user.id, kind, &row) && turns.below(RARE_ONE_IN) == 0 {
                    explaining.row(user.id, kind, &row, turns.below(3) == 0).await;
                }
            }
        }
        let derived = DERIVED_COLUMNS.map(|(table, column, _)| (table, column));
        let masked = MASKED_COLUMNS.map(|masked| (masked.table, masked.column));
        let open = [(WorldTable::Account, "name"), (WorldTable::Task, "subject")];
        for (table, column) in SECURED_COLUMNS.into_iter().chain(derived).chain(masked).chain(open) {
            for right in [ColumnRight::Read, ColumnRight::Create, ColumnRight::Update] {
                for row in world.rows().iter().filter(|row| row.table == table) {
                    if turns.take() {
                        explaining.column(user.id, right, row, column).await;
                    }
                }
            }
        }
        if turns.below(4) == 0 {
            explaining.others(user.id).await;
        }
    }
    explaining.found
}

/// Whether a right is held in a way that is seldom met.
fn is_rare(world: &World, user: Guid, kind: PrivilegeKind, row: &RowView) -> bool {
    let rare = [
        GrantPath::OwnedByTeamOnly,
        GrantPath::OwnedByUserElsewhere,
        GrantPath::OwnedByReport,
        GrantPath::OwnedFurtherBelow,
        GrantPath::OwnedByTeamOfReport,
        GrantPath::SharedWithReport,
        GrantPath::SharedWithUser,
        GrantPath::ThroughBothEnds,
    ];
    let paths = may(world, user, kind, row).paths;
    rare.iter().any(|path| paths.contains(path))
}

struct Explaining<'e> {
    stage: &'e Stage,
    world: &'e World,
    found: Found,
}

impl Explaining<'_> {
    fn own(&self, user: Guid) -> Caller {
        self.stage.caller(custodia_oracle::Asker { user, caller: None })
    }

    fn differ(&mut self, about: &str, expected: impl std::fmt::Debug, explained: impl std::fmt::Debug) {
        self.found
            .differences
            .push(format!("world {}, {about}:\n  expected {expected:?}\n  explained {explained:?}", self.world.seed));
    }

    fn count(&mut self, what: &'static str) {
        *self.found.columns.entry(what).or_default() += 1;
    }

    /// Nobody else is told: no role of a world reads roles.
    async fn others(&mut self, user: Guid) {
        let Some(other) = self.world.users.iter().find(|other| other.id != user) else { return };
        let account = self.stage.table(WorldTable::Account).id;
        let question = asked(user, PrivilegeKind::Read, account, None, None);
        let explained = self.stage.org.explain_access(&self.own(other.id), &question).await;
        self.count("refused to others");
        if !matches!(explained, Err(Error::Denied(_))) {
            self.differ(&format!("{} asked about {user}", other.name), "a refusal", explained);
        }
    }

    async fn row(&mut self, user: Guid, kind: PrivilegeKind, row: &RowView, by_themselves: bool) {
        let verdict = may(self.world, user, kind, row);
        let about = format!("{user} {kind:?} on {} {} (asks: {by_themselves})", row.table.name(), row.id);
        let table = self.stage.table(row.table).id;
        let question = asked(user, kind, table, Some(row.id), None);
        let caller = if by_themselves { self.own(user) } else { self.stage.made.admin() };
        let bars = [Refusal::Disabled, Refusal::NoRoles];
        let is_barred = bars.iter().any(|bar| verdict.refusals.contains(bar));
        let explained = match self.stage.org.explain_access(&caller, &question).await {
            Ok(explained) => explained,
            // Who may do nothing is not told why either, but by others.
            Err(Error::Denied(_)) if by_themselves && is_barred => return,
            Err(error) => return self.differ(&about, &verdict, error),
        };
        self.found.coverage.count(Operation::Row(kind), &verdict);
        if explained.allowed != verdict.allowed || explained.missing.is_empty() != verdict.allowed {
            return self.differ(&about, &verdict, &explained);
        }
        let Some(privilege) = row.table.privilege(kind) else { return };
        if !is_barred && row.table.protection() != Protection::Line && row.table.protection() != Protection::Link {
            let told = !by_themselves || may(self.world, user, PrivilegeKind::Read, row).allowed;
            self.grants(&about, &held(self.world, user, &privilege), (user, kind, row, told), &explained);
        }
    }

    /// Each role that gives the privilege, and by which ways it alone reaches the record.
    fn grants(
        &mut self,
        about: &str,
        held: &[Held],
        (user, kind, row, told): (Guid, PrivilegeKind, &RowView, bool),
        explained: &Explanation,
    ) {
        let key = |granted: &Granted| (granted.role.id, granted.team.as_ref().map(|team| team.id), granted.unit.id);
        let mut expected: Vec<_> = held.iter().map(|held| (held.role, held.team, held.base)).collect();
        let mut named: Vec<_> = explained.grants.iter().map(key).collect();
        expected.sort_unstable();
        named.sort_unstable();
        if expected != named {
            return self.differ(about, &expected, &explained.grants);
        }
        for held in held {
            let is_it = |granted: &&Granted| key(granted) == (held.role, held.team, held.base);
            let Some(granted) = explained.grants.iter().find(is_it) else { continue };
            let same = granted.level == Some(held.level) && granted.team_privileges_only == held.team_privileges_only;
            let expected = if told {
                ways(&with_one_role(self.world, user, held), user, held, kind, row)
            } else {
                BTreeSet::new()
            };
            let reaches: BTreeSet<Way> = granted.reaches.iter().map(way_of).collect();
            if !same || reaches != expected {
                self.differ(about, (held, expected), granted);
            }
        }
    }

    async fn column(&mut self, user: Guid, right: ColumnRight, row: &RowView, column: &'static str) {
        let (kind, record) = match right {
            ColumnRight::Read => (PrivilegeKind::Read, Some(row.id)),
            ColumnRight::Create => (PrivilegeKind::Create, None),
            ColumnRight::Update => (PrivilegeKind::Write, Some(row.id)),
        };
        let (table, id) = (self.stage.table(row.table).id, self.stage.column(row.table, column));
        let question = asked(user, kind, table, record, Some(id));
        let about = format!("{user} {right:?} {}.{column} of {}", row.table.name(), row.id);
        let explained = match self.stage.org.explain_access(&self.stage.made.admin(), &question).await {
            Ok(explained) => explained,
            Err(error) => return self.differ(&about, "an explanation", error),
        };
        let is_masked = MASKED_COLUMNS.iter().any(|masked| masked.table == row.table && masked.column == column);
        let derived = DERIVED_COLUMNS.iter().find(|(of, derived, _)| *of == row.table && *derived == column);
        let source = derived.map_or(column, |(_, _, source)| *source);
        let is_secured = is_masked || SECURED_COLUMNS.contains(&(row.table, source));
        // Masked columns are not among those of which the oracle judges shares of single rows.
        let by_profile = if is_masked || (derived.is_some() && right == ColumnRight::Read) {
            !opening_profiles(self.world, user, right, row.table, source).is_empty()
        } else {
            column_open(self.world, user, right, row.table, column).allowed
        };
        let reads = right == ColumnRight::Read;
        let sharers = match record {
            Some(record) if !(by_profile || is_masked && reads) => {
                sharers_of_column(self.world, user, right, record, if reads { source } else { column })
            }
            _ => BTreeSet::new(),
        };
        let shared = !is_masked && record.is_some() && {
            let verdict = column_of_row_open(self.world, user, right, row.table, column, row.id);
            verdict.allowed && !by_profile
        };
        let expected = by_profile || shared || !sharers.is_empty();
        let sight = text_sight(self.world, user, row.table, column, Unmasked::Nothing);
        let masked = is_masked && reads && sight == TextSight::Masked;
        let profiles =
            if is_secured { opening_profiles(self.world, user, right, row.table, source) } else { BTreeSet::new() };
        let Some(opening) = &explained.column else { return self.differ(&about, "an opening", &explained) };
        let named: BTreeSet<Guid> = opening.profiles.iter().map(|profile| profile.id).collect();
        let with: BTreeSet<Guid> = opening.shared_with.iter().map(|with| with.id).collect();
        let same = (opening.allowed, opening.secured, opening.masked) == (expected, is_secured, masked);
        if !same || named != profiles || with != sharers {
            self.differ(&about, (expected, is_secured, masked, profiles, sharers), &explained);
        }
        let verdict = may(self.world, user, kind, row);
        // A new record has no place yet: the gate alone is asked.
        let gates = [Refusal::Disabled, Refusal::NoRoles, Refusal::NoPrivilege];
        let passes = verdict.allowed || record.is_none() && !gates.iter().any(|gate| verdict.refusals.contains(gate));
        if explained.allowed != (passes && expected) {
            self.differ(&about, (&verdict, expected), &explained);
        }
        self.count(match () {
            () if masked => "masked",
            () if !is_secured => "open",
            () if by_profile => "open by a profile",
            () if expected => "shared",
            () => "closed",
        });
    }
}

fn asked(
    user: Guid,
    right: PrivilegeKind,
    table: TableId,
    record: Option<Guid>,
    column: Option<ColumnId>,
) -> AccessQuestion {
    let asked = Asked::Right(RightQuestion { right, table, record, column, owner: None });
    AccessQuestion { of: Principal::User(user), asked, supposed: Supposed::default() }
}

/// A way as both sides name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Everything,
    Own,
    OfTeam(Guid),
    Unit(Guid),
    Subtree(Guid),
    Shared(Vec<(Guid, bool)>),
    Reports,
    Other,
}

fn way_of(reached: &Reached) -> Way {
    match reached {
        Reached::Everything => Way::Everything,
        Reached::Own => Way::Own,
        Reached::OfTeam(team) => Way::OfTeam(team.id),
        Reached::Unit(unit) => Way::Unit(unit.id),
        Reached::Subtree(unit) => Way::Subtree(unit.id),
        Reached::Shared(shares) => {
            let mut with: Vec<_> = shares.iter().map(|share| (share.with.id, share.explicit)).collect();
            with.sort_unstable();
            Way::Shared(with)
        }
        Reached::Reports => Way::Reports,
        Reached::Parent(_) | Reached::Telling | Reached::All => Way::Other,
    }
}

/// The world in which a user holds one role alone.
fn with_one_role(world: &World, user: Guid, held: &Held) -> World {
    let mut world = world.clone();
    let is_it = |world: &World, role: Guid| {
        world.role(role).is_some_and(|role| {
            role.root == held.role && (held.team.is_some() || !world.ownership_across_units || role.unit == held.base)
        })
    };
    let all = world.clone();
    world.user_roles.retain(|(holder, role)| *holder != user || held.team.is_none() && is_it(&all, *role));
    let theirs: Vec<Guid> = all.teams_of(user).map(|team| team.id).collect();
    world
        .team_roles
        .retain(|(holder, role)| !theirs.contains(holder) || Some(*holder) == held.team && is_it(&all, *role));
    world
}

/// By which ways a row is reached in a world.
fn ways(world: &World, user: Guid, held: &Held, kind: PrivilegeKind, row: &RowView) -> BTreeSet<Way> {
    let verdict = may(world, user, kind, row);
    let mut ways = BTreeSet::new();
    for path in &verdict.paths {
        match path {
            GrantPath::GlobalOfUser | GrantPath::GlobalOfTeam | GrantPath::OrganizationWide => {
                return BTreeSet::from([Way::Everything]);
            }
            GrantPath::OwnedByUser | GrantPath::OwnUserRow => drop(ways.insert(Way::Own)),
            GrantPath::OwnedByTeam | GrantPath::OwnedByTeamOnly => {
                ways.extend(row.owner.map(Way::OfTeam));
            }
            GrantPath::LocalOfUser | GrantPath::LocalOfTeam => drop(ways.insert(Way::Unit(held.base))),
            GrantPath::DeepOfUserHere
            | GrantPath::DeepOfUserBelow
            | GrantPath::DeepOfTeamHere
            | GrantPath::DeepOfTeamBelow => drop(ways.insert(Way::Subtree(held.base))),
            GrantPath::SharedWithUser
            | GrantPath::SharedWithTeam
            | GrantPath::SharedWithAccessTeam
            | GrantPath::InheritedByUser
            | GrantPath::InheritedByTeam
            | GrantPath::InheritedByAccessTeam => drop(ways.insert(Way::Shared(shares(world, user, kind, row)))),
            GrantPath::OwnedByReport
            | GrantPath::OwnedFurtherBelow
            | GrantPath::OwnedByTeamOfReport
            | GrantPath::SharedWithReport => drop(ways.insert(Way::Reports)),
            _ => {}
        }
    }
    // Those below are told of where no share says it already.
    if ways.iter().any(|way| matches!(way, Way::Shared(_))) {
        ways.remove(&Way::Reports);
    }
    ways
}

/// With whom a row is shared so that the user has the right, and whether by hand.
fn shares(world: &World, user: Guid, kind: PrivilegeKind, row: &RowView) -> Vec<(Guid, bool)> {
    let bit = custodia_access::RightsMask::of(kind).0;
    let is_theirs = |with: Guid| with == user || world.teams_of(user).any(|team| team.id == with);
    let of_row = world.shares.iter().filter(|share| share.record == row.id && is_theirs(share.principal));
    let giving = of_row.filter(|share| (share.explicit | share.inherited) & bit != 0);
    let mut with: Vec<_> = giving.map(|share| (share.principal, share.explicit & bit != 0)).collect();
    with.sort_unstable();
    with
}
