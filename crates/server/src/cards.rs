//! `custodia cards`: the rules for payment card numbers, and the look at what is stored already.

use anyhow::{Context, Result, bail};
use custodia_org::{Caller, Organization};
use custodia_process::cards::{Counts, Finding, Listener, Place, Scan};
use custodia_schema::{CardPolicy, CardRule, Schema};
use custodia_store::Clock;
use serde::{Deserialize, Serialize};

use crate::operation::Output;
use crate::service::Service;

/// How often progress is told, in milliseconds.
const PROGRESS_MS: u64 = 2_000;

/// What is to be done about payment card numbers.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub enum Request {
    /// Show the rules, after this change of them.
    Policy {
        /// Table, or table and column with a point between; the organisation if not given.
        scope: Option<String>,
        /// The word of a policy, or `default` for no rule of its own.
        policy: Option<String>,
    },
    /// Have a column take payment references alone, or no more.
    Reference {
        /// Table and column with a point between.
        column: String,
        /// On or off.
        holds: bool,
    },
    /// Look at what is stored.
    Scan {
        /// Mask what is found.
        masks: bool,
        /// Tell in JSON.
        json: bool,
        /// Where to go on.
        from: Option<String>,
    },
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
    let caller = Caller::platform("custodia cards", service.new_id());
    match request {
        Request::Policy { scope, policy } => {
            if let Some(word) = policy {
                let (policy, holds) = match word.as_str() {
                    "default" => (CardPolicy::Block, false),
                    word => {
                        let policy = CardPolicy::of_word(word);
                        (policy.with_context(|| format!("there is no policy '{word}'"))?, true)
                    }
                };
                let rule = rule(&organization.schema(), scope.as_deref(), policy)?;
                organization.set_card_rule(&caller, rule, holds).await?;
            } else if scope.is_some() {
                bail!("say what shall hold there: block, mask, warn, off or default");
            }
            show(&organization.schema(), output);
        }
        Request::Reference { column, holds } => {
            let rule = match rule(&organization.schema(), Some(&column), CardPolicy::Block)? {
                CardRule::Column(table, column, _) => CardRule::PaymentReference(table, column),
                _ => bail!("'{column}' is not TABLE.COLUMN, such as account.accountnumber"),
            };
            organization.set_card_rule(&caller, rule, holds).await?;
            show(&organization.schema(), output);
        }
        Request::Scan { masks, json, from } => {
            let from = from.map(|from| from.parse()).transpose()?;
            let mut told = Told { service, output, json, told: service.clock.monotonic_ms() };
            let counts = Scan { masks, from }.run(organization, &caller, &mut told).await?;
            told.end(&counts)?;
        }
    }
    Ok(())
}

/// The rule about an organisation, a table or a column.
fn rule(schema: &Schema, scope: Option<&str>, policy: CardPolicy) -> Result<CardRule> {
    let Some(scope) = scope else { return Ok(CardRule::Organization(policy)) };
    let (name, column) = scope.split_once('.').map_or((scope, None), |(table, column)| (table, Some(column)));
    let table = schema.table_named(name).with_context(|| format!("there is no table '{name}'"))?;
    let Some(column) = column else { return Ok(CardRule::Table(table.id, policy)) };
    let found = table.column(column).with_context(|| format!("table '{name}' has no column '{column}'"))?;
    Ok(CardRule::Column(table.id, found.id, policy))
}

/// Tells the rules, from the general to the particular.
fn show(schema: &Schema, output: &mut dyn Output) {
    let rules = schema.card_rules();
    let mut lines = Vec::new();
    let mut organization = CardPolicy::default();
    for rule in rules.all() {
        let (table, column, word) = match *rule {
            CardRule::Organization(policy) => {
                organization = policy;
                continue;
            }
            CardRule::Table(table, policy) => (table, None, policy.word()),
            CardRule::Column(table, column, policy) => (table, Some(column), policy.word()),
            CardRule::PaymentReference(table, column) => (table, Some(column), "payment references only"),
        };
        let Some(table) = schema.table(table) else { continue };
        let column = column.and_then(|column| table.column_by_id(column)).map_or("", |column| column.name.as_str());
        let point = if column.is_empty() { "" } else { "." };
        lines.push(format!("{}{point}{column}: {word}", table.name));
    }
    lines.sort();
    output.line(&format!("organisation: {}", organization.word()));
    lines.iter().for_each(|line| output.line(line));
}

/// Tells what a scan finds.
struct Told<'o> {
    service: &'o Service,
    output: &'o mut dyn Output,
    json: bool,
    told: u64,
}

impl Listener for Told<'_> {
    fn found(&mut self, finding: &Finding) {
        let Finding { table, record, column, policy, became } = finding;
        let line = match serde_json::to_string(finding) {
            Ok(line) if self.json => line,
            _ => format!("{table} {record} {column}: {became} (policy {policy})"),
        };
        self.output.line(&line);
    }

    fn advanced(&mut self, place: &Place, counts: &Counts) {
        let now = self.service.clock.monotonic_ms();
        if now.saturating_sub(self.told) >= PROGRESS_MS {
            self.told = now;
            self.output.progress(&format!("{} records, {} found; goes on from {place}", counts.records, counts.found));
        }
    }
}

impl Told<'_> {
    /// Tells what it came to; what was found and not masked shows in the exit code.
    fn end(self, counts: &Counts) -> Result<()> {
        let line = match self.json {
            true => serde_json::to_string(counts)?,
            false => format!(
                "looked at {} records of {} tables: {} values hold a card number, {} of them were masked",
                counts.records, counts.tables, counts.found, counts.masked
            ),
        };
        self.output.line(&line);
        if counts.found > counts.masked {
            self.output.refused_rows();
        }
        Ok(())
    }
}
