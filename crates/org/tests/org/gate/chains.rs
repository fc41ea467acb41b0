//! Accounts under accounts: no chain bites its own tail, whatever else a request changes of it.

use crate::on_both_engines;

on_both_engines! {
    accounts_under_one_chain_read_it_once;
    what_a_request_changed_of_a_chain_counts;
}

mod bodies {
    use custodia_org::{Change, Error, MergeRequest, Precondition};
    use custodia_schema::{Guid, Value};

    use crate::world::World;

    fn name() -> (&'static str, Value) {
        ("name", Value::Text("A".into()))
    }

    /// Accounts, each below the one before it.
    async fn chain<const LENGTH: usize>(world: &World) -> [Guid; LENGTH] {
        let mut chain = [Guid::nil(); LENGTH];
        let mut above = Value::Null;
        for account in &mut chain {
            *account = world.create(&world.admin(), "account", &[name(), ("parentaccountid", above)]).await;
            above = world.lookup("account", *account);
        }
        chain
    }

    /// Accounts below none.
    async fn alone<const COUNT: usize>(world: &World) -> [Guid; COUNT] {
        let mut accounts = [Guid::nil(); COUNT];
        for account in &mut accounts {
            *account = world.create(&world.admin(), "account", &[name()]).await;
        }
        accounts
    }

    /// Puts an account below another one, or below none.
    fn hang(world: &World, account: Guid, below: Option<Guid>) -> Change {
        let above = below.map_or(Value::Null, |below| world.lookup("account", below));
        Change::Update {
            target: world.reference("account", account),
            input: world.input("account", &[("parentaccountid", above)]),
            when: Precondition::Exists,
        }
    }

    fn remove(world: &World, account: Guid) -> Change {
        Change::Delete { target: world.reference("account", account), when: Precondition::None }
    }

    /// Makes changes in one request; the place of one that would close a loop.
    async fn change(world: &World, changes: Vec<Change>) -> Option<usize> {
        match world.org.change(&world.admin(), Change::All(changes)).await {
            Ok(_) => None,
            Err(Error::Part { at, error }) if matches!(*error, Error::Refused { code: 0x8004_0507, .. }) => Some(at),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn accounts_under_one_chain_read_it_once(world: World) {
        const ABOVE: u64 = 60;
        let chain: [Guid; ABOVE as usize] = chain(&world).await;
        let accounts: [Guid; 30] = alone(&world).await;
        let (few, many) = accounts.split_at(5);
        let mut statements = Vec::new();
        for some in [few, many] {
            let before = world.store.statements();
            let changes = some.iter().map(|account| hang(&world, *account, chain.last().copied())).collect();
            assert_eq!(change(&world, changes).await, None);
            statements.push(world.store.statements() - before);
        }
        // What an account more costs does not go with how many stand above it.
        let each = (statements[1] - statements[0]) / (many.len() - few.len()) as u64;
        assert!(each < ABOVE / 2, "{statements:?}");
    }

    pub async fn what_a_request_changed_of_a_chain_counts(world: World) {
        let [top, middle, low] = chain(&world).await;
        let [other, another] = alone(&world).await;
        let hang = |account, below| hang(&world, account, Some(below));
        let free = |account| self::hang(&world, account, None);
        // The chain as it is, and as the request made it.
        assert_eq!(change(&world, vec![hang(top, low)]).await, Some(0));
        assert_eq!(change(&world, vec![hang(other, low), hang(top, other)]).await, Some(1));
        assert_eq!(change(&world, vec![hang(other, another), hang(another, other)]).await, Some(1));
        let deeper = vec![hang(another, low), hang(other, top), hang(middle, other), hang(top, another)];
        assert_eq!(change(&world, deeper).await, Some(3));
        // What was taken out of it is above nobody any more.
        assert_eq!(change(&world, vec![hang(other, low), free(middle), hang(top, low)]).await, None);
        assert_eq!(change(&world, vec![hang(middle, top)]).await, Some(0));
        assert_eq!(change(&world, vec![free(top), hang(middle, top), hang(another, low)]).await, None);
        // Nor is what was merged with another one, or removed.
        let [top, middle, low] = chain(&world).await;
        let merge = Change::Merge(MergeRequest {
            target: world.reference("account", other),
            subordinate: world.reference("account", middle),
            content: None,
            checks_parents: false,
        });
        let merged = vec![free(other), free(another), hang(another, low), merge, hang(top, low)];
        assert_eq!(change(&world, merged).await, None);
        let [top, middle, low] = chain(&world).await;
        let removed = vec![free(another), hang(another, low), remove(&world, middle), hang(top, low)];
        assert_eq!(change(&world, removed).await, None);
    }
}
