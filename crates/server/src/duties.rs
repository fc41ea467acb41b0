//! `custodia duties`: the roles and privileges that nobody is to hold together.

use anyhow::{Result, bail};
use custodia_org::{Caller, Duty, DutyRule, Organization};
use serde::{Deserialize, Serialize};

use crate::naming;
use crate::operation::{Output, one_line};
use crate::service::Service;

/// What is to be done about the rules.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub enum Request {
    /// Make one.
    Set {
        /// What people call it.
        name: String,
        /// Names or ids of roles.
        roles: Vec<String>,
        /// Names of privileges.
        privileges: Vec<String>,
    },
    /// Take one away.
    Remove {
        /// What people call it.
        name: String,
    },
    /// Tell them.
    List,
    /// Tell who holds both sides of one.
    Check,
}

/// Does it.
///
/// # Errors
/// Why it was not done.
pub async fn run(
    service: &Service,
    organization: &Organization,
    request: Request,
    output: &mut dyn Output,
) -> Result<()> {
    let caller = Caller::platform("custodia duties", service.new_id());
    match request {
        Request::Set { name, roles, privileges } => {
            let mut duties = Vec::new();
            for role in &roles {
                duties.push(Duty::Role(naming::role(organization, role).await?));
            }
            duties.extend(privileges.into_iter().map(Duty::Privilege));
            let [first, second] = duties.as_slice() else {
                bail!("a rule is about two: give --role or --privilege twice, or each once");
            };
            let rule = DutyRule { name: name.clone(), first: first.clone(), second: second.clone() };
            organization.set_duty_rule(&caller, rule).await?;
            output.line(&format!("rule {name} is set; 'custodia duties check' tells who holds both already"));
        }
        Request::Remove { name } => {
            if !organization.remove_duty_rule(&caller, &name).await? {
                bail!("there is no rule '{name}'; 'custodia duties list' shows them");
            }
            output.line(&format!("rule {name} is gone"));
        }
        Request::List => {
            for rule in organization.duty_rules(&caller).await? {
                let (first, second) = (word(organization, &rule.first).await?, word(organization, &rule.second).await?);
                output.line(&one_line(&format!("{}: {first}, {second}", rule.name)));
            }
        }
        Request::Check => {
            let conflicts = organization.duty_conflicts(&caller).await?;
            for conflict in &conflicts {
                output.line(&format!(
                    "{}: {} {}",
                    one_line(&conflict.rule),
                    one_line(&conflict.user.name),
                    conflict.user.id
                ));
            }
            if conflicts.is_empty() {
                output.line("nobody holds what a rule separates");
            } else {
                output.refused_rows();
            }
        }
    }
    Ok(())
}

async fn word(organization: &Organization, duty: &Duty) -> Result<String> {
    Ok(match duty {
        Duty::Role(role) => format!("role {}", organization.role_name(*role).await?),
        Duty::Privilege(name) => format!("privilege {name}"),
    })
}
