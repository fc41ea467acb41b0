//! The layer as SQLite sees it: an `sqlite3_vfs` whose files wrap those of the default one.
//!
//! Memory: SQLite allocates `szOsFile` bytes for a file. The first part is our [`File`], the rest belongs to the wrapped file.
//! A registered layer stays for the life of the process, because connections keep pointers to it.

use std::alloc::Layout;
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use super::state::{Change, Shared, Tracked};
use super::{Failure, FileKind, Flushing, Operation};
use crate::Error;

/// The layer, with SQLite's part first so that a pointer to one is a pointer to the other.
#[repr(C)]
struct Vfs {
    base: sqlite3_vfs,
    inner: *mut sqlite3_vfs,
    shared: Arc<Shared>,
}

/// An open file, with SQLite's part first. The wrapped file follows at [`inner_offset`].
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// `None` for temporary files.
    tracking: Option<Tracking>,
}

struct Tracking {
    shared: Arc<Shared>,
    file: Arc<Tracked>,
}

/// Where the wrapped file begins: SQLite aligns its allocation to eight bytes, which no file needs more than.
const fn inner_offset() -> usize {
    Layout::new::<File>().pad_to_align().size().next_multiple_of(8)
}

/// Version 2: with shared memory for the write-ahead log, without memory mapping, which would write past us.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes a layer known to SQLite under its name.
pub(super) fn register(shared: &Arc<Shared>) -> Result<(), Error> {
    let refused = |code| Error::Engine {
        doing: "registering the file layer",
        source: rusqlite::Error::SqliteFailure(ffi::Error::new(code), None),
    };
    let Ok(name) = CString::new(shared.name()) else {
        return Err(refused(ffi::SQLITE_MISUSE));
    };
    // SAFETY: the default layer lives as long as the process. Ours and its name are leaked, so they do too, and are not
    // touched by us after registration except through pointers that SQLite hands back.
    let code = unsafe {
        let inner = ffi::sqlite3_vfs_find(ptr::null());
        if inner.is_null() {
            return Err(refused(ffi::SQLITE_NOTFOUND));
        }
        let own_bytes = c_int::try_from(inner_offset()).map_err(|_| refused(ffi::SQLITE_TOOBIG))?;
        let layer = Box::leak(Box::new(Vfs {
            base: sqlite3_vfs {
                iVersion: 2,
                szOsFile: (*inner).szOsFile + own_bytes,
                mxPathname: (*inner).mxPathname,
                pNext: ptr::null_mut(),
                zName: name.into_raw(),
                pAppData: ptr::null_mut(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xAccess: Some(access),
                xFullPathname: Some(full_pathname),
                // Nothing of ours loads code.
                xDlOpen: None,
                xDlError: None,
                xDlSym: None,
                xDlClose: None,
                xRandomness: Some(randomness),
                xSleep: Some(sleep),
                xCurrentTime: Some(current_time),
                xGetLastError: Some(last_error),
                xCurrentTimeInt64: Some(current_time_int64),
                xSetSystemCall: None,
                xGetSystemCall: None,
                xNextSystemCall: None,
            },
            inner,
            shared: Arc::clone(shared),
        }));
        ffi::sqlite3_vfs_register(&raw mut layer.base, 0)
    };
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(refused(code)) }
}

/// # Safety
/// `vfs` is a layer that [`register`] made.
unsafe fn layer<'a>(vfs: *mut sqlite3_vfs) -> &'a Vfs {
    // SAFETY: as promised; it is never freed, and only shared references to it exist.
    unsafe { &*vfs.cast::<Vfs>() }
}

/// # Safety
/// `file` was opened by [`open`] and is not closed. Files are used by one thread at a time.
unsafe fn own<'a>(file: *mut sqlite3_file) -> &'a File {
    // SAFETY: as promised; our part was written by `open`.
    unsafe { &*file.cast::<File>() }
}

/// # Safety
/// `file` points to memory of `szOsFile` bytes of a layer of ours.
unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: the memory goes on behind our part.
    unsafe { file.byte_add(inner_offset()) }
}

/// Calls a method of the wrapped file, or answers `$absent` if it has none.
macro_rules! pass {
    ($file:expr, $method:ident, $absent:expr $(, $argument:expr)*) => {{
        // SAFETY: `$file` is open, so the wrapped file is, and its methods take what ours take.
        unsafe {
            let inner = inner($file);
            match (*(*inner).pMethods).$method {
                Some(method) => method(inner $(, $argument)*),
                None => $absent,
            }
        }
    }};
}

/// Calls a function of the wrapped layer, or answers `$absent` if it has none.
macro_rules! pass_vfs {
    ($vfs:expr, $function:ident, $absent:expr $(, $argument:expr)*) => {{
        // SAFETY: `$vfs` is a layer of ours, so the wrapped one lives, and its functions take what ours take.
        unsafe {
            let inner = layer($vfs).inner;
            match (*inner).$function {
                Some(function) => function(inner $(, $argument)*),
                None => $absent,
            }
        }
    }};
}

impl File {
    /// Whether the power is cut for this file; temporary files live on, they are nobody's data.
    fn is_dead(&self) -> bool {
        self.tracking.as_ref().is_some_and(|tracking| tracking.shared.is_power_cut())
    }
}

/// # Safety
/// `name` is null or ends in zero.
unsafe fn path_of<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as promised.
    Some(Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes())))
}

fn kind_of(flags: c_int) -> Option<FileKind> {
    if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
        Some(FileKind::Database)
    } else if flags & ffi::SQLITE_OPEN_WAL != 0 {
        Some(FileKind::WriteAheadLog)
    } else if flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL) != 0 {
        Some(FileKind::Journal)
    } else {
        None
    }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes our layer, memory of `szOsFile` bytes and a name that is null or ends in zero. `pMethods` is set
    // first, because SQLite closes a file whose methods are set even when opening failed.
    let (layer, path) = unsafe {
        (*file).pMethods = ptr::null();
        (*inner(file)).pMethods = ptr::null();
        (layer(vfs), path_of(name))
    };
    let mut code = ffi::SQLITE_CANTOPEN;
    let mut open_real = || {
        code = pass_vfs!(vfs, xOpen, ffi::SQLITE_CANTOPEN, name, inner(file), flags, out_flags);
        code == ffi::SQLITE_OK
    };
    let (opened, tracking) = match (path, kind_of(flags)) {
        (Some(path), Some(kind)) => match layer.shared.open(path, kind, open_real) {
            Some(file) => (true, Some(Tracking { shared: Arc::clone(&layer.shared), file })),
            None => (false, None),
        },
        _ => (open_real(), None),
    };
    if opened {
        let own = File { base: sqlite3_file { pMethods: &raw const METHODS }, tracking };
        // SAFETY: the memory is SQLite's, large enough, and holds nothing of ours yet.
        unsafe { file.cast::<File>().write(own) };
        return code;
    }
    // SAFETY: the memory is SQLite's, and the methods were set to null above. A file that could not be opened may still want
    // to be closed, and SQLite does not see it.
    if unsafe { !(*inner(file)).pMethods.is_null() } {
        pass!(file, xClose, ffi::SQLITE_OK);
    }
    code
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let code = pass!(file, xClose, ffi::SQLITE_OK);
    // SAFETY: SQLite closes a file once; our part is dropped in place and the memory stays SQLite's.
    unsafe {
        if let Some(tracking) = &own(file).tracking {
            tracking.shared.closed();
        }
        file.cast::<File>().drop_in_place();
        (*file).pMethods = ptr::null();
    }
    code
}

unsafe extern "C" fn read(file: *mut sqlite3_file, buffer: *mut c_void, length: c_int, offset: sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes an open file.
    if unsafe { own(file) }.is_dead() {
        return ffi::SQLITE_IOERR_READ;
    }
    pass!(file, xRead, ffi::SQLITE_IOERR_READ, buffer, length, offset)
}

/// Length of the real file, or SQLite's code.
///
/// # Safety
/// `file` is open.
unsafe fn real_length(file: *mut sqlite3_file) -> Result<usize, c_int> {
    let mut length: sqlite3_int64 = 0;
    match pass!(file, xFileSize, ffi::SQLITE_IOERR_FSTAT, &raw mut length) {
        ffi::SQLITE_OK => usize::try_from(length).map_err(|_| ffi::SQLITE_IOERR_FSTAT),
        code => Err(code),
    }
}

/// What the real file holds from `offset` to `end`, which is not behind its end.
///
/// # Safety
/// `file` is open.
unsafe fn real_content(file: *mut sqlite3_file, offset: usize, end: usize) -> Result<Vec<u8>, c_int> {
    let mut content = vec![0_u8; end.saturating_sub(offset)];
    if content.is_empty() {
        return Ok(content);
    }
    let (Ok(length), Ok(place)) = (c_int::try_from(content.len()), sqlite3_int64::try_from(offset)) else {
        return Err(ffi::SQLITE_IOERR_READ);
    };
    match pass!(file, xRead, ffi::SQLITE_IOERR_READ, content.as_mut_ptr().cast(), length, place) {
        ffi::SQLITE_OK => Ok(content),
        code => Err(code),
    }
}

/// The code of an injected failure.
fn failed(failure: Failure, operation: Operation) -> c_int {
    match (failure, operation) {
        (Failure::DiskFull, Operation::Write) => ffi::SQLITE_FULL,
        (_, Operation::Write) => ffi::SQLITE_IOERR_WRITE,
        (_, Operation::Flush) => ffi::SQLITE_IOERR_FSYNC,
    }
}

/// Changes a tracked file: `prepare` looks at it as it is and says how to undo, `apply` does it.
fn change(
    tracking: &Tracking,
    bytes: usize,
    prepare: impl FnOnce() -> Result<Change, c_int>,
    apply: impl FnOnce() -> c_int,
) -> c_int {
    let kind = tracking.file.kind;
    if let Some(failure) = tracking.shared.due_failure(Operation::Write, kind) {
        return failed(failure, Operation::Write);
    }
    let mut state = tracking.file.lock();
    if tracking.shared.is_power_cut() {
        return ffi::SQLITE_IOERR_WRITE;
    }
    let change = match prepare() {
        Ok(change) => change,
        Err(code) => return code,
    };
    let code = apply();
    if code == ffi::SQLITE_OK {
        state.push(change);
        tracking.shared.count_write(kind, bytes);
    }
    code
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    buffer: *const c_void,
    length: c_int,
    offset: sqlite3_int64,
) -> c_int {
    let apply = || pass!(file, xWrite, ffi::SQLITE_IOERR_WRITE, buffer, length, offset);
    // SAFETY: SQLite passes an open file.
    let Some(tracking) = (unsafe { &own(file).tracking }) else {
        return apply();
    };
    let (Ok(start), Ok(bytes)) = (usize::try_from(offset), usize::try_from(length)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    let prepare = || {
        // SAFETY: the file is open and SQLite passes `length` bytes to write.
        unsafe {
            let old_length = real_length(file)?;
            let old = real_content(file, start, old_length.min(start + bytes))?;
            let new = std::slice::from_raw_parts(buffer.cast::<u8>(), bytes).to_vec();
            Ok(Change::Write { offset: start, old, new, old_length })
        }
    };
    change(tracking, bytes, prepare, apply)
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    let apply = || pass!(file, xTruncate, ffi::SQLITE_IOERR_TRUNCATE, size);
    // SAFETY: SQLite passes an open file.
    let Some(tracking) = (unsafe { &own(file).tracking }) else {
        return apply();
    };
    let Ok(length) = usize::try_from(size) else {
        return ffi::SQLITE_IOERR_TRUNCATE;
    };
    let prepare = || {
        // SAFETY: the file is open.
        unsafe {
            let old_length = real_length(file)?;
            Ok(Change::Truncate { length, old_tail: real_content(file, length, old_length)?, old_length })
        }
    };
    change(tracking, 0, prepare, apply)
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    let Some(tracking) = (unsafe { &own(file).tracking }) else {
        return pass!(file, xSync, ffi::SQLITE_OK, flags);
    };
    let kind = tracking.file.kind;
    if let Some(failure) = tracking.shared.due_failure(Operation::Flush, kind) {
        return failed(failure, Operation::Flush);
    }
    if tracking.shared.is_power_cut() {
        return ffi::SQLITE_IOERR_FSYNC;
    }
    if tracking.shared.flushing() == Flushing::Pretended {
        tracking.shared.count_flush(kind);
        return ffi::SQLITE_OK;
    }
    // The lock is free during the real flush, as the real file is; what is written meanwhile is not covered by it.
    let limit = tracking.file.lock().flush_limit();
    let code = pass!(file, xSync, ffi::SQLITE_OK, flags);
    if code != ffi::SQLITE_OK {
        return code;
    }
    let mut state = tracking.file.lock();
    if tracking.shared.is_power_cut() {
        return ffi::SQLITE_IOERR_FSYNC;
    }
    state.flushed(limit);
    tracking.shared.count_flush(kind);
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes an open file.
    if unsafe { own(file) }.is_dead() {
        return ffi::SQLITE_IOERR_FSTAT;
    }
    pass!(file, xFileSize, ffi::SQLITE_IOERR_FSTAT, size)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    if unsafe { own(file) }.is_dead() {
        return ffi::SQLITE_IOERR_LOCK;
    }
    pass!(file, xLock, ffi::SQLITE_OK, level)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    pass!(file, xUnlock, ffi::SQLITE_OK, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, answer: *mut c_int) -> c_int {
    // SAFETY: SQLite passes an open file.
    if unsafe { own(file) }.is_dead() {
        return ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
    }
    pass!(file, xCheckReservedLock, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK, answer)
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    // Both would change the real file's length behind our back; SQLite takes this answer for "not offered".
    if operation == ffi::SQLITE_FCNTL_SIZE_HINT || operation == ffi::SQLITE_FCNTL_CHUNK_SIZE {
        return ffi::SQLITE_NOTFOUND;
    }
    pass!(file, xFileControl, ffi::SQLITE_NOTFOUND, operation, argument)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    pass!(file, xSectorSize, 0)
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    // An atomic batch goes through file controls that we do not follow.
    pass!(file, xDeviceCharacteristics, 0) & !ffi::SQLITE_IOCAP_BATCH_ATOMIC
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    memory: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite passes an open file.
    if unsafe { own(file) }.is_dead() {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    pass!(file, xShmMap, ffi::SQLITE_IOERR_SHMMAP, region, size, extend, memory)
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    let unlocking = flags & ffi::SQLITE_SHM_UNLOCK != 0;
    // SAFETY: SQLite passes an open file.
    if !unlocking && unsafe { own(file) }.is_dead() {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    pass!(file, xShmLock, ffi::SQLITE_IOERR_SHMLOCK, offset, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    pass!(file, xShmBarrier, ());
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    pass!(file, xShmUnmap, ffi::SQLITE_OK, delete)
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    let delete_real = || {
        let code = pass_vfs!(vfs, xDelete, ffi::SQLITE_IOERR_DELETE, name, sync_folder);
        (code == ffi::SQLITE_OK, code)
    };
    // SAFETY: SQLite passes our layer and a name that ends in zero.
    let (layer, path) = unsafe { (layer(vfs), path_of(name).map_or_else(PathBuf::new, Path::to_owned)) };
    layer.shared.delete(&path, delete_real).unwrap_or(ffi::SQLITE_IOERR_DELETE)
}

unsafe extern "C" fn access(vfs: *mut sqlite3_vfs, name: *const c_char, flags: c_int, answer: *mut c_int) -> c_int {
    pass_vfs!(vfs, xAccess, ffi::SQLITE_IOERR_ACCESS, name, flags, answer)
}

unsafe extern "C" fn full_pathname(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    pass_vfs!(vfs, xFullPathname, ffi::SQLITE_CANTOPEN, name, length, out)
}

unsafe extern "C" fn randomness(vfs: *mut sqlite3_vfs, length: c_int, out: *mut c_char) -> c_int {
    pass_vfs!(vfs, xRandomness, 0, length, out)
}

unsafe extern "C" fn sleep(vfs: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    pass_vfs!(vfs, xSleep, 0, microseconds)
}

unsafe extern "C" fn current_time(vfs: *mut sqlite3_vfs, days: *mut f64) -> c_int {
    pass_vfs!(vfs, xCurrentTime, ffi::SQLITE_ERROR, days)
}

unsafe extern "C" fn last_error(vfs: *mut sqlite3_vfs, length: c_int, text: *mut c_char) -> c_int {
    pass_vfs!(vfs, xGetLastError, 0, length, text)
}

unsafe extern "C" fn current_time_int64(vfs: *mut sqlite3_vfs, milliseconds: *mut sqlite3_int64) -> c_int {
    pass_vfs!(vfs, xCurrentTimeInt64, ffi::SQLITE_ERROR, milliseconds)
}
