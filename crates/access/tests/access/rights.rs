//! Levels, grants, predicates.

use std::sync::Arc;

use custodia_access::{Authority, Denied, Grant, Own, RightsMask, RowAccess, RowArms};
use custodia_schema::Level::{Basic, Deep, Global, Local};
use custodia_schema::{Guid, Level, PrivilegeKind, TableId};

use crate::people::{ANNE, BOB, EAST, HOME, Person, TEAM, id, table};

fn grant(level: Level, base_unit: Guid, team_only: Option<Guid>) -> Grant {
    Grant { level, base_unit, team_only }
}

fn arms(own: Own, units: &[Guid], subtrees: &[Guid], shared: Option<PrivilegeKind>) -> RowAccess {
    let (units, subtrees) = (units.to_vec(), subtrees.to_vec());
    RowAccess::Arms(RowArms { user: ANNE, own, units, subtrees, shared: shared.map(RightsMask::of), reports: None })
}

#[test]
fn grants_are_kept_in_their_shortest_form() {
    let read = "prvReadAccount";
    let cases: [(&str, Person, Vec<Grant>); 8] = [
        ("nothing", Person::anne().role(&[]), vec![]),
        ("global wins", Person::anne().role(&[(read, Basic)]).role(&[(read, Global)]), vec![grant(Global, HOME, None)]),
        (
            "one basic is enough",
            Person::anne().role(&[(read, Basic)]).role(&[(read, Basic)]),
            vec![grant(Basic, HOME, None)],
        ),
        (
            "deep contains local of the same unit",
            Person::anne().role(&[(read, Deep)]).role(&[(read, Local)]),
            vec![grant(Deep, HOME, None)],
        ),
        (
            "local here and deep there both count, basic is contained",
            Person::anne().role(&[(read, Local)]).role(&[(read, Basic)]).role_from(EAST, &[(read, Deep)]),
            vec![grant(Local, HOME, None), grant(Deep, EAST, None)],
        ),
        (
            "each team's own basic grant counts, once",
            Person::anne()
                .team_role(id(2), EAST, true, &[(read, Basic)])
                .team_role(id(1), HOME, true, &[(read, Basic)])
                .team_role(id(2), EAST, true, &[(read, Basic)]),
            vec![grant(Basic, HOME, Some(id(1))), grant(Basic, EAST, Some(id(2)))],
        ),
        (
            "a wide basic grant contains those of teams",
            Person::anne().team_role(TEAM, EAST, true, &[(read, Basic)]).role(&[(read, Basic)]),
            vec![grant(Basic, HOME, None)],
        ),
        (
            "team privileges only concerns basic alone",
            Person::anne().team_role(TEAM, EAST, true, &[(read, Local)]),
            vec![grant(Local, EAST, None)],
        ),
    ];
    for (what, person, expected) in cases {
        let rights = person.rights();
        assert_eq!(rights.grants(table("account").id, PrivilegeKind::Read), expected, "{what}");
        let level = expected.iter().map(|grant| grant.level).max();
        assert_eq!(rights.level(table("account").id, PrivilegeKind::Read), level, "{what}");
    }
}

#[test]
fn a_predicate_has_one_arm_for_each_way() {
    let read = "prvReadAccount";
    let shared = Some(PrivilegeKind::Read);
    let itself = RowAccess::Arms(RowArms {
        user: TEAM,
        own: Own::Itself,
        units: vec![EAST],
        subtrees: Vec::new(),
        shared: Some(RightsMask::of(PrivilegeKind::Read)),
        reports: None,
    });
    let cases: [(&str, Person, RowAccess); 7] = [
        ("a team by itself", Person::team().role(&[(read, Local)]), itself),
        ("basic", Person::anne().role(&[(read, Basic)]), arms(Own::UserAndTeams, &[], &[], shared)),
        ("local", Person::anne().role(&[(read, Local)]), arms(Own::UserAndTeams, &[HOME], &[], shared)),
        ("deep", Person::anne().role(&[(read, Deep)]), arms(Own::UserAndTeams, &[], &[HOME], shared)),
        ("global", Person::anne().role(&[(read, Global)]), RowAccess::All),
        (
            "local of a team is measured from the team's unit, and own rows come with it",
            Person::anne().team_role(TEAM, EAST, true, &[(read, Local)]),
            arms(Own::UserAndTeams, &[EAST], &[], shared),
        ),
        (
            "only the team's rows",
            Person::anne().team_role(TEAM, EAST, true, &[(read, Basic)]),
            arms(Own::Teams(vec![TEAM]), &[], &[], shared),
        ),
    ];
    for (what, person, expected) in cases {
        assert_eq!(person.authority().rows(&table("account"), PrivilegeKind::Read), Ok(expected), "{what}");
    }
}

#[test]
fn activities_share_their_privileges() {
    let rights = Person::anne().role(&[("prvReadActivity", Local), ("prvWriteActivity", Basic)]).rights();
    for name in ["activitypointer", "task", "phonecall", "email", "appointment", "letter", "fax"] {
        assert_eq!(rights.level(table(name).id, PrivilegeKind::Read), Some(Local), "{name}");
        assert_eq!(rights.level(table(name).id, PrivilegeKind::Write), Some(Basic), "{name}");
        assert_eq!(rights.level(table(name).id, PrivilegeKind::Delete), None, "{name}");
    }
}

#[test]
fn tables_of_the_organisation_are_all_or_nothing() {
    for level in [Basic, Local, Deep, Global] {
        let authority = Person::anne().role(&[("prvReadProduct", level)]).authority();
        assert_eq!(authority.rows(&table("product"), PrivilegeKind::Read), Ok(RowAccess::All), "{level:?}");
        assert!(authority.rows(&table("product"), PrivilegeKind::Write).is_err());
        let no_owner = authority.rows(&table("product"), PrivilegeKind::Assign);
        assert!(matches!(no_owner, Err(Denied::NotApplicable { .. })), "{no_owner:?}");
    }
}

#[test]
fn a_level_is_cut_to_what_the_privilege_allows() {
    let authority = Person::anne().role(&[("prvReadUserQuery", Global)]).authority();
    let expected = arms(Own::UserAndTeams, &[], &[], Some(PrivilegeKind::Read));
    assert_eq!(authority.rows(&table("userquery"), PrivilegeKind::Read), Ok(expected));
}

#[test]
fn users_reach_their_own_row_and_those_of_the_unit() {
    let users = table("systemuser");
    let local = Person::anne().role(&[("prvReadUser", Local)]).authority();
    assert_eq!(local.rows(&users, PrivilegeKind::Read), Ok(arms(Own::Self_, &[HOME], &[], None)));
    let teams = Person::anne().role(&[("prvReadTeam", Deep)]).authority();
    assert_eq!(teams.rows(&table("team"), PrivilegeKind::Read), Ok(arms(Own::Nobody, &[], &[HOME], None)));
}

#[test]
fn disabled_users_and_users_without_roles_may_nothing() {
    let account = table("account");
    let disabled = Person::anne().role(&[("prvReadAccount", Global), ("prvExportToExcel", Global)]).disabled();
    let denied = disabled.authority().rows(&account, PrivilegeKind::Read).unwrap_err();
    assert_eq!((denied.code(), &denied), (0x8004_0225, &Denied::Disabled { user: ANNE }));
    assert!(!disabled.authority().holds("prvExportToExcel"));
    assert!(disabled.authority().check_privilege("prvExportToExcel").is_err());

    let denied = Person::anne().authority().rows(&account, PrivilegeKind::Read).unwrap_err();
    assert_eq!((denied.code(), &denied), (0x8004_2f09, &Denied::NoRoles { user: ANNE }));
    // A line has no gate of its own; it must not be a way round.
    assert_eq!(Person::anne().authority().rows(&table("quotedetail"), PrivilegeKind::Read), Err(denied));
}

#[test]
fn a_refusal_names_the_privilege_and_the_table() {
    let denied = Person::anne().role(&[]).authority().rows(&table("account"), PrivilegeKind::Read).unwrap_err();
    assert_eq!(denied.code(), 0x8004_0220);
    assert_eq!(
        denied.to_string(),
        format!(
            "User {ANNE} lacks the privilege prvReadAccount on table 'account'. None of the user's roles grants it."
        )
    );
    let denied = Person::anne().role(&[]).authority().check_privilege("prvExportToExcel").unwrap_err();
    assert_eq!(
        denied.to_string(),
        format!("User {ANNE} lacks the privilege prvExportToExcel. None of the user's roles grants it.")
    );
}

#[test]
fn privileges_are_held_by_name() {
    let rights = Person::anne()
        .role(&[("prvReadAccount", Basic), ("prvExportToExcel", Global)])
        .team_role(TEAM, EAST, false, &[("prvPrint", Global), ("prvExportToExcel", Global)])
        .rights();
    for (name, holds, directly) in [
        ("prvReadAccount", true, false),
        ("prvWriteAccount", false, false),
        ("prvExportToExcel", true, true),
        ("prvPrint", true, false),
        ("prvMerge", false, false),
        ("prvNoSuchThing", false, false),
    ] {
        assert_eq!((rights.holds(name), rights.holds_directly(name)), (holds, directly), "{name}");
    }
    assert_eq!(rights.root_roles(), [id(0x40)]);
    assert_eq!(rights.grants(TableId(4_000_000), PrivilegeKind::Read), []);
}

#[test]
fn acting_for_another_user_needs_the_privilege_from_an_own_role() {
    let act: (&str, Level) = ("prvActOnBehalfOfAnotherUser", Global);
    let read = "prvReadAccount";
    let bob = Person::new(BOB, EAST).role(&[(read, Global), ("prvWriteAccount", Basic)]);
    let account = table("account");

    let anne = Person::anne().role(&[act, (read, Local)]).rights();
    let both = Authority::on_behalf(Arc::clone(&anne), bob.rights()).unwrap();
    assert_eq!((both.user_id(), both.calling_user_id()), (Some(BOB), Some(ANNE)));
    assert_eq!(both.security_versions().collect::<Vec<_>>(), [7, 7]);
    // Bob reads all, Anne her unit: both together read Anne's unit.
    let expected = arms(Own::UserAndTeams, &[HOME], &[], Some(PrivilegeKind::Read));
    assert_eq!(both.rows(&account, PrivilegeKind::Read), Ok(expected));
    let denied = both.rows(&account, PrivilegeKind::Write).unwrap_err();
    assert!(matches!(denied, Denied::MissingPrivilege { user: ANNE, .. }), "{denied:?}");
    assert!(!both.holds("prvWriteAccount"));

    let through_team = Person::anne().role(&[(read, Local)]).team_role(TEAM, HOME, false, &[act]).rights();
    let denied = Authority::on_behalf(through_team, bob.rights()).unwrap_err();
    assert_eq!((denied.code(), &denied), (0x8004_0220, &Denied::OnBehalf { caller: ANNE }));

    assert!(matches!(
        Authority::on_behalf(Arc::clone(&anne), bob.clone().disabled().rights()),
        Err(Denied::Disabled { user: BOB })
    ));
    let without_roles = Person::new(BOB, EAST).rights();
    assert!(matches!(Authority::on_behalf(anne, without_roles), Err(Denied::NoRoles { user: BOB })));

    let oneself = Authority::on_behalf(bob.rights(), bob.rights()).unwrap();
    assert_eq!((oneself.user_id(), oneself.calling_user_id()), (Some(BOB), None));
}

#[test]
fn two_arms_stay_two_when_neither_contains_the_other() {
    let anne = Person::anne().role(&[("prvActOnBehalfOfAnotherUser", Global), ("prvReadAccount", Local)]);
    let bob = Person::new(BOB, EAST).role(&[("prvReadAccount", Local)]);
    let both = Authority::on_behalf(anne.rights(), bob.rights()).unwrap();
    match both.rows(&table("account"), PrivilegeKind::Read) {
        Ok(RowAccess::Every(all)) => assert_eq!(all.len(), 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_shortest_form_of_every() {
    let one = arms(Own::Nobody, &[HOME], &[], None);
    let two = arms(Own::Nobody, &[EAST], &[], None);
    assert_eq!(RowAccess::every([]), RowAccess::All);
    assert_eq!(RowAccess::every([RowAccess::All, RowAccess::All]), RowAccess::All);
    assert_eq!(RowAccess::every([RowAccess::All, one.clone(), one.clone()]), one);
    let nested = RowAccess::every([RowAccess::every([one.clone(), two.clone()]), two.clone(), RowAccess::All]);
    assert_eq!(nested, RowAccess::Every(vec![one, two]));
}

#[test]
fn the_platform_reaches_everything_under_its_name() {
    let platform = Authority::platform("import");
    assert_eq!((platform.platform_name(), platform.user_id()), (Some("import"), None));
    for name in ["account", "quotedetail", "systemuser", "opportunitycompetitors", "principalobjectaccess"] {
        assert_eq!(platform.rows(&table(name), PrivilegeKind::Delete), Ok(RowAccess::All), "{name}");
    }
    assert!(platform.holds("prvAnything"));
    assert_eq!(platform.security_versions().count(), 0);
}
