//! The statements behind one user's rights. They join record tables by name: these are fixed parts of the security
//! model, which no customisation renames.

use custodia_schema::{Guid, Value};

use super::{Output, Parameter, Statement};

/// The user: unit, disabled, position; and what the organisation says of hierarchy security: on, by positions, depth, and
/// the text of its options.
pub(crate) fn user(id: Guid) -> Statement {
    read(
        "SELECT u.businessunitid, u.isdisabled, u.positionid, o.ishierarchicalsecuritymodelenabled, \
         o.usepositionhierarchy, o.maxdepthforhierarchicalsecuritymodel, o.orgdborgsettings \
         FROM systemuser u LEFT JOIN organization o ON TRUE WHERE u.systemuserid = $1",
        id,
        &[Output::Guid, Output::Boolean, Output::Guid, Output::Boolean, Output::Boolean, Output::Integer, Output::Text],
    )
}

/// Whether anybody stands below a user by the chain of managers: one row if so.
pub(crate) fn managed_by(user: Guid) -> Statement {
    read("SELECT below FROM custodia_manager_closure WHERE above = $1 LIMIT 1", user, &[Output::Guid])
}

/// Whether there is a position below a position: one row if so.
pub(crate) fn position_below(position: Guid) -> Statement {
    read("SELECT below FROM custodia_position_closure WHERE above = $1 LIMIT 1", position, &[Output::Guid])
}

/// Roles held directly: root role, template, unit of the role.
pub(crate) fn roles(user: Guid) -> Statement {
    read(
        "SELECT r.parentrootroleid, r.roletemplateid, r.businessunitid FROM systemuserroles h \
         JOIN role r ON r.roleid = h.roleid WHERE h.systemuserid = $1",
        user,
        &[Output::Guid, Output::Guid, Output::Guid],
    )
}

/// Roles held through teams: team, its unit, root role, template, inheritance (0: team privileges only).
pub(crate) fn team_roles(user: Guid) -> Statement {
    read(
        "SELECT t.teamid, t.businessunitid, r.parentrootroleid, r.roletemplateid, r.isinherited \
         FROM custodia_member m JOIN teamroles h ON h.teamid = m.principalid JOIN team t ON t.teamid = h.teamid \
         JOIN role r ON r.roleid = h.roleid WHERE m.userid = $1",
        user,
        &[Output::Guid, Output::Guid, Output::Guid, Output::Guid, Output::Integer],
    )
}

/// Teams of a user that can own rows, `limit` at most: all but access teams (type 1).
pub(crate) fn owner_teams(user: Guid, limit: usize) -> Statement {
    let sql = format!(
        "SELECT t.teamid FROM custodia_member m JOIN team t ON t.teamid = m.principalid \
         WHERE m.userid = $1 AND coalesce(t.teamtype, 0) <> 1 ORDER BY t.teamid LIMIT {limit}"
    );
    read(&sql, user, &[Output::Guid])
}

/// The team: unit, type.
pub(crate) fn team(id: Guid) -> Statement {
    read("SELECT businessunitid, teamtype FROM team WHERE teamid = $1", id, &[Output::Guid, Output::Integer])
}

/// Roles of a team: root role, template.
pub(crate) fn roles_of_team(team: Guid) -> Statement {
    read(
        "SELECT r.parentrootroleid, r.roletemplateid FROM teamroles h JOIN role r ON r.roleid = h.roleid WHERE h.teamid = $1",
        team,
        &[Output::Guid, Output::Guid],
    )
}

/// Privileges of a root role: privilege, depth mask.
pub(crate) fn privileges(role: Guid) -> Statement {
    read(
        "SELECT privilegeid, privilegedepthmask FROM roleprivileges WHERE roleid = $1",
        role,
        &[Output::Guid, Output::Integer],
    )
}

/// Profiles of a user, direct and through teams.
pub(crate) fn profiles(user: Guid) -> Statement {
    read(
        "SELECT fieldsecurityprofileid FROM systemuserprofiles WHERE systemuserid = $1 UNION \
         SELECT p.fieldsecurityprofileid FROM custodia_member m JOIN teamprofiles p ON p.teamid = m.principalid \
         WHERE m.userid = $1",
        user,
        &[Output::Guid],
    )
}

/// What a profile says of columns: table, column, read, create, update (0 or 4), unmasked (0, 1 of one record, 3 of all).
pub(crate) fn permissions(profile: Guid) -> Statement {
    read(
        "SELECT entityname, attributelogicalname, canread, cancreate, canupdate, canreadunmasked FROM fieldpermission \
         WHERE fieldsecurityprofileid = $1",
        profile,
        &[Output::Text, Output::Text, Output::Integer, Output::Integer, Output::Integer, Output::Integer],
    )
}

/// Columns of which the reading was shared of some record with a user or a team of theirs: their ids.
pub(crate) fn shared_columns(user: Guid) -> Statement {
    read(
        "SELECT DISTINCT s.attributeid FROM custodia_member m \
         JOIN principalobjectattributeaccess s ON s.principalid = m.principalid WHERE m.userid = $1 AND s.readaccess",
        user,
        &[Output::Guid],
    )
}

/// Masked columns: table, column, pattern, character.
pub(crate) fn masked_columns() -> Statement {
    Statement {
        sql: "SELECT a.entityname, a.attributelogicalname, r.regularexpression, r.maskedcharacter \
              FROM attributemaskingrule a JOIN maskingrule r ON r.maskingruleid = a.maskingruleid"
            .to_owned(),
        outputs: vec![Output::Text, Output::Text, Output::Text, Output::Text],
        ..Statement::default()
    }
}

/// Units above a unit, itself included, and whether the unit is disabled.
pub(crate) fn units_above(unit: Guid) -> Statement {
    read(
        "SELECT c.ancestor, u.isdisabled FROM custodia_unit_closure c JOIN businessunit u ON u.businessunitid = c.descendant \
         WHERE c.descendant = $1",
        unit,
        &[Output::Guid, Output::Boolean],
    )
}

/// Whether a user is a member of a team: one row if so.
pub(crate) fn membership(user: Guid, team: Guid) -> Statement {
    Statement {
        sql: "SELECT principalid FROM custodia_member WHERE userid = $1 AND principalid = $2".to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(user)), Parameter::Value(Value::Guid(team))],
        outputs: vec![Output::Guid],
        ..Statement::default()
    }
}

fn read(sql: &str, id: Guid, outputs: &[Output]) -> Statement {
    Statement {
        sql: sql.to_owned(),
        parameters: vec![Parameter::Value(Value::Guid(id))],
        outputs: outputs.to_vec(),
        ..Statement::default()
    }
}
