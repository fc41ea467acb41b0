//! The command line.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Names the data folder, where `--data` does not.
pub const DATA_VARIABLE: &str = "CUSTODIA_DATA";
/// Names the configuration file, where `--config` does not.
pub const CONFIG_VARIABLE: &str = "CUSTODIA_CONFIG";

/// The command line.
#[derive(Parser)]
#[command(name = "custodia", version = VERSION.as_str(), about = ABOUT, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `--version` says: two programs of one storage format read and write the same databases.
static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{} (storage format {})", env!("CARGO_PKG_VERSION"), custodia_store::PROGRAM_VERSION));

const ABOUT: &str = "A CRM service with the Dataverse Web API: serve it and look after it";

const EXIT_CODES: &str = "Exit codes: 0 done, 1 not done (one line says what, why and what to do), 2 the command line is wrong, \
     3 done, but some rows of an import were refused, something was found (card numbers that are still there, roles to look \
     at), or the answer is no.";

/// Where an installation is.
#[derive(Args, Clone)]
pub struct Place {
    /// The data folder.
    #[arg(long, value_name = "DIR", default_value = "./data", env = DATA_VARIABLE)]
    pub data: PathBuf,
    /// The configuration file; every key is also an environment variable, such as CUSTODIA_LIMITS_BODY_BYTES.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    pub config: Option<PathBuf>,
    /// PostgreSQL server and control database, instead of files in the data folder.
    #[arg(long, value_name = "postgres://…")]
    pub database: Option<String>,
}

/// How TLS is set up.
#[derive(Clone, Copy, ValueEnum)]
pub enum TlsMode {
    /// A certificate authority of its own, at DIR/tls/ca.pem.
    Local,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Serve until told to stop.
    Serve {
        #[command(flatten)]
        place: Place,
        /// Address and port for clients, 127.0.0.1:8080 if not configured; port 0 picks one. It is printed when it answers.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<String>,
        /// Address and port for health and metrics, 127.0.0.1:0 if not configured: a free port, which is printed.
        #[arg(long, value_name = "ADDRESS:PORT")]
        ops_listen: Option<String>,
        /// Make the organisations demo and demo2 with real sample data on first start.
        #[arg(long)]
        demo: bool,
        /// Serve over TLS with a certificate made here.
        #[arg(long, value_enum, conflicts_with_all = ["tls_cert", "tls_key"])]
        tls: Option<TlsMode>,
        /// Certificate chain (PEM).
        #[arg(long, value_name = "FILE", requires = "tls_key")]
        tls_cert: Option<PathBuf>,
        /// Private key (PEM).
        #[arg(long, value_name = "FILE", requires = "tls_cert")]
        tls_key: Option<PathBuf>,
    },
    /// Make, list, suspend, resume, limit and delete organisations.
    #[command(subcommand)]
    Org(OrgCommand),
    /// Print a bearer token for a user and nothing else.
    Token {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// E-mail address, domain name or id of an enabled user.
        #[arg(long)]
        user: String,
        /// How long it lives, at most 7d: 90s, 30m, 1h, 1d; a number alone is seconds.
        #[arg(long, default_value = "1h", value_parser = seconds)]
        ttl: i64,
    },
    /// Give a user a new temporary password; the tokens given out before end.
    Password {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// E-mail address, domain name or id.
        #[arg(long)]
        user: String,
    },
    /// Give an application a client secret to sign in with.
    Secret {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The application's id (applicationid of its user), or domain name or e-mail address of that user.
        #[arg(long)]
        user: String,
        /// Days it is good for.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        days: u32,
        /// End all its other secrets.
        #[arg(long)]
        replace: bool,
    },
    /// Import CSV files by a mapping file (docs/import.md).
    Import {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The mapping file.
        #[arg(long, value_name = "FILE.toml")]
        map: PathBuf,
        /// The user in whose name records are made; the platform if not given.
        #[arg(long)]
        user: Option<String>,
        /// The files.
        #[arg(required = true, value_name = "FILE.csv")]
        files: Vec<PathBuf>,
    },
    /// Export records of a table as CSV (docs/export.md).
    Export {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The table: account.
        #[arg(long)]
        table: String,
        /// The user with whose rights records are read; the platform if not given.
        #[arg(long)]
        user: Option<String>,
        /// The columns; all that may be read if not given. The record's id always comes first.
        #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
        columns: Vec<String>,
        /// A FetchXML query; records for which its conditions hold are exported.
        #[arg(long, value_name = "FILE.xml")]
        filter: Option<PathBuf>,
        /// Write options by their labels instead of their numbers.
        #[arg(long)]
        labels: bool,
        /// Write texts as they are, also those that a spreadsheet would take for formulas.
        #[arg(long)]
        raw: bool,
        /// Also make a mapping file by which 'custodia import' brings the file back.
        #[arg(long, value_name = "FILE.toml")]
        mapping: Option<PathBuf>,
        /// The file to make, which must not exist; - for standard output.
        #[arg(long, value_name = "FILE.csv|-")]
        to: PathBuf,
    },
    /// Copy one organisation into a file, verified, while it is in use.
    Backup {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The file to make; it must not exist.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Bring an organisation back from a backup.
    Restore {
        #[command(flatten)]
        place: Place,
        /// The backup.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Restore under this name; the name in the backup if not given.
        #[arg(long)]
        org: Option<String>,
        /// Take the place of an organisation of that name; what it holds now is lost.
        #[arg(long)]
        replace: bool,
        /// Say the name of the organisation to be replaced once more, where the backup is of another one.
        #[arg(long, value_name = "NAME", requires = "replace")]
        confirm: Option<String>,
    },
    /// Switch column security of a column on, or with --off off.
    Secure {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The column, as table.column: account.creditlimit.
        #[arg(value_name = "TABLE.COLUMN")]
        column: String,
        /// Switch it off.
        #[arg(long)]
        off: bool,
    },
    /// Switch the audit of a table's changes on, or with --off off.
    AuditTable {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The table: account.
        #[arg(value_name = "TABLE")]
        table: String,
        /// Switch it off.
        #[arg(long)]
        off: bool,
    },
    /// List audit entries, newest first, one JSON object per line; or verify and keep the audit (docs/operations/audit.md).
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Audit {
        /// What to do with it instead.
        #[command(subcommand)]
        command: Option<AuditCommand>,
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long, required = true)]
        org: Option<String>,
        /// Entries.
        #[arg(long, value_name = "ENTRIES", default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        only: AuditOnly,
    },
    /// Keep payment card numbers out (docs/cards.md).
    #[command(subcommand)]
    Cards(CardsCommand),
    /// Tell why a user or team may do something, or what is missing (docs/explanations.md); exit code 3: it may not.
    #[command(group = clap::ArgGroup::new("who").args(["user", "team"]).required(true))]
    Why {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        #[command(flatten)]
        question: WhyQuestion,
    },
    /// Print what the Web API would answer a user, and store nothing; exit code 3: it would refuse (docs/explanations.md).
    Simulate {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The user, by e-mail address, domain name or id.
        #[arg(long = "as", value_name = "USER")]
        user: String,
        /// GET: nothing else is simulated.
        #[arg(value_name = "METHOD")]
        method: String,
        /// The path below /api/data/v9.2, with its query: '/accounts?$top=5'.
        #[arg(value_name = "PATH")]
        path: String,
    },
    /// Look over who may do what (docs/explanations.md).
    #[command(subcommand)]
    Roles(RolesCommand),
    /// Keep roles or privileges apart that nobody is to hold together (docs/explanations.md).
    #[command(subcommand)]
    Duties(DutiesCommand),
    /// See and change which indexes help what people ask (docs/operations/indexes.md).
    #[command(subcommand)]
    Indexes(IndexesCommand),
    /// List and cancel jobs of an organisation.
    #[command(subcommand)]
    Job(JobCommand),
    /// Look after the master key and the keys that tokens are signed with.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look after the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Keeping the audit.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Verify every entry against the chain and the heads that were published; the exit code is 1 when something is wrong.
    Verify {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long, required_unless_present = "export")]
        org: Option<String>,
        /// A copy of the published heads; this machine's own file if not given.
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        /// Verify this file that 'custodia audit export' made, and no database.
        #[arg(long, value_name = "FILE", conflicts_with = "org")]
        export: Option<PathBuf>,
    },
    /// Write the audit to a file that can be verified elsewhere.
    Export {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The file to make; - for standard output.
        #[arg(long, value_name = "FILE|-")]
        to: PathBuf,
    },
    /// Remove the oldest entries; a signed record stays in their place.
    Prune {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// Entries before this day or moment, which is over, UTC where it does not say: 2026-01-31, 2026-01-31T08:00:00Z.
        #[arg(long, value_name = "TIME", value_parser = crate::audit::moment)]
        before: i64,
        /// Why, as the record is to say.
        #[arg(long, value_parser = reason)]
        reason: String,
    },
    /// Erase the values from all entries of one record; that it was changed, when and by whom stays told.
    Erase {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The record's table.
        #[arg(long)]
        table: String,
        /// The record.
        #[arg(long, visible_alias = "id", value_name = "ID", value_parser = id)]
        record: uuid::Uuid,
        /// Why, as the entry that tells of it is to say.
        #[arg(long, value_parser = reason)]
        reason: String,
    },
    /// Sign heads with a new key from now on, which the present one endorses.
    RotateKey {
        #[command(flatten)]
        place: Place,
    },
}

/// Which audit entries are listed.
#[derive(clap::Args)]
pub struct AuditOnly {
    /// Only records of this table.
    #[arg(long)]
    pub table: Option<String>,
    /// Only this record.
    #[arg(long, alias = "id", value_name = "ID", value_parser = id)]
    pub record: Option<uuid::Uuid>,
    /// Only what this user did, by e-mail, domain name or id; also through another one who acted for the user.
    #[arg(long)]
    pub user: Option<String>,
    /// Only from this day (2026-01-31) or moment (2026-01-31T08:00:00Z) on, UTC where it does not say.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only this action, by its number or name: 13, assign, assign-role-to-user. May be given several times.
    #[arg(long)]
    pub action: Vec<String>,
}

/// Organisations.
#[derive(Subcommand)]
pub enum OrgCommand {
    /// Make an organisation; prints a temporary password for its first administrator.
    Create {
        /// Its name in URLs: lower-case letters, digits, hyphens.
        name: String,
        /// E-mail of the first administrator.
        #[arg(long, value_name = "EMAIL")]
        admin: String,
        /// Its name for people; NAME if not given.
        #[arg(long)]
        display_name: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List all organisations: name, state, id, display name.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Close an organisation to all requests; its data stays.
    Suspend {
        /// Its name.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Open a suspended organisation again.
    Resume {
        /// Its name.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Show what an organisation may use, or change it: from the next request on, at other nodes within
    /// limits.housekeeping_seconds.
    Limits {
        /// Its name.
        name: String,
        /// Requests within five minutes; "default": as configured for every organisation.
        #[arg(long, value_name = "NUMBER")]
        requests: Option<OwnLimit>,
        /// Requests at one time; "default": as configured for every organisation.
        #[arg(long, value_name = "NUMBER")]
        concurrent_requests: Option<OwnLimit>,
        /// Bytes of its database; "default": as configured for every organisation.
        #[arg(long, value_name = "NUMBER")]
        storage_bytes: Option<OwnLimit>,
        #[command(flatten)]
        place: Place,
    },
    /// Destroy an organisation and its key. There is no way back.
    Delete {
        /// Its name.
        name: String,
        /// Say the name once more.
        #[arg(long, value_name = "NAME")]
        confirm: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Payment card numbers.
#[derive(Subcommand)]
pub enum CardsCommand {
    /// Show what becomes of card numbers, or change it for the organisation, a table or a column: block (refused, the default),
    /// mask (stored with the last four digits), warn (the same, and the answer says so), off (stored as they are), default (no
    /// rule of its own).
    Policy {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// Where it shall hold; in the organisation if not given.
        #[arg(long, value_name = "TABLE[.COLUMN]", requires = "policy")]
        scope: Option<String>,
        /// What shall hold.
        #[arg(value_parser = ["block", "mask", "warn", "off", "default"])]
        policy: Option<String>,
    },
    /// Have a text column take payment references alone, BRAND:LAST4:TOKEN, or with --off any text again.
    Reference {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// The column, as table.column.
        #[arg(value_name = "TABLE.COLUMN")]
        column: String,
        /// Any text again.
        #[arg(long)]
        off: bool,
    },
    /// Look for card numbers in all records; tells table, record and column, never the number.
    Scan {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// Mask what is found.
        #[arg(long)]
        mask: bool,
        /// Tell in JSON, one object a line.
        #[arg(long)]
        json: bool,
        /// Go on from where another scan stopped.
        #[arg(long, value_name = "TABLE[/ID]")]
        from: Option<String>,
    },
}

/// Who may do what?
#[derive(Args)]
pub struct WhyQuestion {
    /// The user, by e-mail address, domain name or id.
    #[arg(long)]
    user: Option<String>,
    /// A team by itself, by name or id.
    #[arg(long)]
    team: Option<String>,
    /// A right (create, read, write, delete, append, append-to, assign, share) or the name of a privilege.
    #[arg(long, value_name = "RIGHT|PRIVILEGE")]
    may: Option<String>,
    /// The table: account.
    #[arg(long, requires = "may")]
    table: Option<String>,
    /// One record of the table; without it, whether any.
    #[arg(long, value_name = "ID", requires = "table", value_parser = id)]
    record: Option<uuid::Uuid>,
    /// A column of the table.
    #[arg(long, requires = "table")]
    column: Option<String>,
    /// With assign: the user whom the record would be given to.
    #[arg(long, value_name = "USER", requires = "table", conflicts_with = "to_team")]
    to_user: Option<String>,
    /// With assign: the team that the record would be given to.
    #[arg(long, value_name = "TEAM", requires = "table")]
    to_team: Option<String>,
    /// Instead of a right: acting for this user.
    #[arg(long, value_name = "USER", conflicts_with = "may")]
    acting_for: Option<String>,
    /// Suppose that this role is held, by name or id; without --may, what would change. May be given several times.
    #[arg(long, value_name = "ROLE")]
    with_role: Vec<String>,
    /// Suppose that this role is not held any more.
    #[arg(long, value_name = "ROLE")]
    without_role: Vec<String>,
    /// Tell in JSON.
    #[arg(long)]
    json: bool,
}

impl WhyQuestion {
    /// What the installation is asked.
    pub fn into_request(self) -> crate::why::Request {
        crate::why::Request {
            user: self.user,
            team: self.team,
            may: self.may,
            table: self.table,
            record: self.record,
            column: self.column,
            to_user: self.to_user,
            to_team: self.to_team,
            acting_for: self.acting_for,
            with_roles: self.with_role,
            without_roles: self.without_role,
            json: self.json,
        }
    }
}

/// Roles.
#[derive(Subcommand)]
pub enum RolesCommand {
    /// Tell what somebody who looks after rights would want to know of; exit code 3: something was found.
    Lint {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// Roles of one user, also through teams, that are not too many.
        #[arg(long, value_name = "NUMBER", default_value_t = 5)]
        roles_max: usize,
        /// System Administrators that are not too many.
        #[arg(long, value_name = "NUMBER", default_value_t = 5)]
        administrators_max: usize,
        /// Tell in JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
}

/// Separation of duties.
#[derive(Subcommand)]
pub enum DutiesCommand {
    /// Make a rule of two roles, two privileges, or one of each; it holds for what is given from now on.
    Set {
        /// What people call the rule; it takes the place of one of the same name.
        name: String,
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// A role, by name or id: twice, or once with --privilege.
        #[arg(long, value_name = "ROLE")]
        role: Vec<String>,
        /// A privilege, by name, such as prvDeleteAccount: twice, or once with --role.
        #[arg(long, value_name = "PRIVILEGE")]
        privilege: Vec<String>,
    },
    /// Take a rule away.
    Remove {
        /// The rule.
        name: String,
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
    },
    /// List the rules.
    List {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
    },
    /// Tell who holds both sides of a rule now; exit code 3: somebody does.
    Check {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
    },
}

/// Indexes.
#[derive(Subcommand)]
pub enum IndexesCommand {
    /// List the indexes of all tables that exist but the audit's, or of one: columns, whether it is the organisation's own, size.
    List {
        /// The table: account.
        table: Option<String>,
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// Tell in JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Tell which indexes would help with what was asked, and which of the organisation's own nothing uses; exit code 3:
    /// there is something to change.
    Advise {
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        /// Rows that a question must meet now to be worth an index.
        #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
        rows: u64,
        /// How many times fewer rows it must meet with the index.
        #[arg(long, value_name = "NUMBER", default_value_t = 4)]
        gain: u64,
        /// Tell in JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make an index over columns of a table, in this order. Nobody writes while it is made.
    Add {
        /// The table: account.
        table: String,
        /// The columns: those compared for equality first.
        #[arg(required = true)]
        columns: Vec<String>,
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
    },
    /// Remove an index that the organisation made; those that come with the program stay.
    Remove {
        /// The table: account.
        table: String,
        /// Its columns, in their order.
        #[arg(required = true)]
        columns: Vec<String>,
        #[command(flatten)]
        place: Place,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
    },
}

/// Jobs.
#[derive(Subcommand)]
pub enum JobCommand {
    /// List the jobs that have not ended: id, state, when asked for, user, name.
    List {
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        #[command(flatten)]
        place: Place,
    },
    /// Cancel a job: it ends with the step at hand, and what it did stays done.
    Cancel {
        /// Its id.
        #[arg(value_name = "ID", value_parser = id)]
        job: uuid::Uuid,
        /// The organisation: its name, as `custodia org list` shows it.
        #[arg(long)]
        org: String,
        #[command(flatten)]
        place: Place,
    },
}

/// A limit that an organisation is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnLimit {
    /// None of its own.
    Default,
    /// A value of its own.
    Value(u64),
}

impl OwnLimit {
    /// The value, if it is one of its own.
    pub fn value(self) -> Option<u64> {
        match self {
            Self::Default => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl std::str::FromStr for OwnLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = || text.parse().ok().filter(|number| (1..=i64::MAX as u64).contains(number));
        match text {
            "default" => Ok(Self::Default),
            _ => number().map(Self::Value).ok_or_else(|| "use a number from 1 on, or the word default".to_owned()),
        }
    }
}

/// The master key and the keys that tokens are signed with.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Write a copy of the master key to a file, to be kept in another place.
    Export {
        #[command(flatten)]
        place: Place,
        /// The file to make.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Sign tokens with a new key from now on. By itself this happens every 90 days.
    Rotate {
        #[command(flatten)]
        place: Place,
        /// Refuse all tokens that were given out before, in all organisations.
        #[arg(long)]
        end_tokens: bool,
    },
}

/// The configuration.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Say every fault of the configuration file and the environment with its line, or print what is in force by them; flags of
    /// other commands are not looked at.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
        config: Option<PathBuf>,
    },
}

/// Words: who reads the audit later has nothing else to go by.
fn reason(text: &str) -> Result<String, String> {
    Some(text.to_owned()).filter(|text| !text.trim().is_empty()).ok_or_else(|| "say why: the audit keeps it".to_owned())
}

/// An id of a record.
fn id(text: &str) -> Result<uuid::Uuid, String> {
    text.parse().map_err(|_| "expected an id such as 01a206a2-7c3e-7d51-9f0a-2b6f8c1d4e57".to_owned())
}

/// `90s`, `30m`, `1h`, `1d` or plain seconds, as long as a token may live at most.
fn seconds(text: &str) -> Result<i64, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (text.get(..at), 1),
        Some((at, 'm')) => (text.get(..at), 60),
        Some((at, 'h')) => (text.get(..at), 3_600),
        Some((at, 'd')) => (text.get(..at), 86_400),
        _ => (Some(text), 1),
    };
    let number: Option<i64> = number.and_then(|number| number.parse().ok()).filter(|number| *number > 0);
    let wrong = || "use a time like 90s, 30m, 1h or 1d".to_owned();
    let seconds = number.and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)?;
    if seconds > custodia_identity::LIFETIME_SECONDS_MAX {
        return Err(format!("at most {}d", custodia_identity::LIFETIME_SECONDS_MAX / 86_400));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_serve_names_where_it_listens() {
        let configured = crate::config::Config::default();
        let mut command = Cli::command();
        let serve = command.find_subcommand_mut("serve").map(|serve| serve.render_help().to_string());
        let help = serve.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        for address in [configured.listen, configured.ops_listen] {
            assert!(help.contains(&format!(", {address} if not configured")), "{help}");
        }
    }

    #[test]
    fn times_have_units_and_limits_are_numbers() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("2h"), Ok(7_200));
        assert_eq!((seconds("7d"), seconds("8d")), (Ok(604_800), Err("at most 7d".to_owned())));
        assert!(id("5").is_err_and(|why| why.starts_with("expected an id such as 01a206a2-")));
        assert_eq!(("default".parse(), "7".parse()), (Ok(OwnLimit::Default), Ok(OwnLimit::Value(7))));
        assert!(["0", "-1", "many", "9223372036854775808"].iter().all(|text| text.parse::<OwnLimit>().is_err()));
        use crate::audit::moment;
        assert_eq!(moment("1970-01-03").ok(), Some(172_800));
        assert_eq!(moment("1970-01-03T00:01:00Z").ok(), Some(172_860));
        assert!(reason("the year is over").is_ok() && reason("").is_err() && reason(" \n").is_err());
        assert!(["yesterday", "2026-02-30", "2026-1"].iter().all(|text| moment(text).is_err()));
        assert!(seconds("h").is_err() && seconds("-1s").is_err() && seconds("").is_err());
    }
}
