//! The PostgreSQL cluster under Custodia, as far as measuring needs to know it: what its processes use.

use std::time::Duration;

use anyhow::{Context, Result};
use custodia_testbed::with_database;
use tokio_postgres::{Client, NoTls};

use crate::process::processor_time;

/// A connection to the cluster that asks nothing while a load runs.
pub struct Cluster {
    client: Client,
}

impl Cluster {
    /// # Errors
    /// When PostgreSQL does not let us in.
    pub async fn connect(url: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
        tokio::spawn(async move {
            // It ends with the client; an error shows at the next question.
            let _ = connection.await;
        });
        Ok(Self { client })
    }

    /// Processor time of all its processes: those that serve connections and those that write and clean behind them.
    ///
    /// # Errors
    /// When PostgreSQL cannot be asked.
    pub async fn processor_time(&self) -> Result<Duration> {
        let rows = self.client.query("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()", &[]).await?;
        // One that has ended meanwhile has nothing to say.
        let processes = rows.iter().filter_map(|row| u32::try_from(row.get::<_, i32>(0)).ok());
        Ok(processes.filter_map(|process| processor_time(process).ok()).sum())
    }

    /// Has PostgreSQL look at the rows of an organisation's databases now: it comes by itself within a minute, which some
    /// turns would be before and some after. `url` is that of the control database.
    ///
    /// # Errors
    /// When PostgreSQL cannot be asked.
    pub async fn gather_statistics(&self, url: &str, organization: &str) -> Result<()> {
        let names = format!("custodia\\_{organization}\\_%");
        for row in self.client.query("SELECT datname::text FROM pg_database WHERE datname LIKE $1", &[&names]).await? {
            let database = Self::connect(&with_database(url, row.get(0))).await?;
            database.client.batch_execute("ANALYZE").await?;
        }
        Ok(())
    }

    /// Rows of scans and entries of indexes that all connections to other databases than this one's met so far, as far as
    /// they have said so. What the cluster reads for its own upkeep is among them.
    ///
    /// # Errors
    /// When PostgreSQL cannot be asked.
    pub async fn rows_met(&self) -> Result<u64> {
        const MET: &str = "
            SELECT COALESCE(sum(tup_returned), 0)::bigint FROM pg_stat_database WHERE datname <> current_database()";
        Ok(u64::try_from(self.client.query_one(MET, &[]).await?.get::<_, i64>(0))?)
    }

    /// Its version and the settings that figures depend on and Custodia does not choose.
    ///
    /// # Errors
    /// When PostgreSQL cannot be asked.
    pub async fn describe(&self) -> Result<String> {
        const SETTINGS: &str = "
            SELECT string_agg(name || '=' || current_setting(name), ', ' ORDER BY name)
            FROM pg_settings
            WHERE name IN ('fsync', 'server_version', 'shared_buffers', 'synchronous_commit')";
        Ok(self.client.query_one(SETTINGS, &[]).await?.get(0))
    }
}
