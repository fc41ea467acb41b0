//! Credentials: kept beside the records, swapped by one of two.

use crate::on_both_engines;

on_both_engines! {
    a_refresh_family_is_kept_and_swapped_once;
}

mod bodies {
    use custodia_org::CredentialKind;
    use custodia_schema::Guid;

    use crate::world::World;

    pub async fn a_refresh_family_is_kept_and_swapped_once(world: World) {
        let (caller, family) = (world.platform(), Guid::from_u128(77));
        let kept = async || {
            let kept = world.org.credentials(family, CredentialKind::RefreshToken).await.unwrap();
            kept.into_iter().map(|kept| kept.secret).collect::<Vec<_>>()
        };
        assert!(world.org.swap_refresh_family(&caller, family, None, b"first".to_vec()).await.unwrap());
        // Written although no record and no audit entry was: the acknowledgement means that it is there.
        assert_eq!(kept().await, [b"first".to_vec()]);
        let swap =
            |secret: &[u8]| world.org.swap_refresh_family(&caller, family, Some(b"first".to_vec()), secret.to_vec());
        let (one, two) = tokio::join!(swap(b"one"), swap(b"two"));
        assert_eq!([one.unwrap(), two.unwrap()].iter().filter(|swapped| **swapped).count(), 1);
        assert_eq!(kept().await.len(), 1);
        assert_ne!(kept().await, [b"first".to_vec()]);
    }
}
