"""What the door relies on in asyncssh without a promise of it: a change there must fail here, by name."""

import inspect
from importlib.metadata import version

import pytest
from asyncssh.auth import _ServerPasswordAuth, _ServerPublicKeyAuth, lookup_server_auth
from asyncssh.channel import SSHServerChannel
from asyncssh.connection import SSHAcceptor, SSHServerConnection
from asyncssh.crypto.cipher import GCMCipher
from asyncssh.encryption import GCMEncryption
from asyncssh.sftp import SFTPHandler, SFTPServerHandler
from asyncssh.stream import SSHServerStreamSession

from channels.sftp.session import Requests


def test_the_version_is_the_one_that_was_read() -> None:
    """Another minor version must be read again (session.py, login.py) before this line is changed."""
    assert version("asyncssh").startswith("2.24.")


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (SSHServerConnection, "send_userauth_success", ["self"]),
        (SSHServerConnection, "send_userauth_failure", ["self", "partial_success"]),
        (SSHServerConnection, "validate_public_key", ["self", "username", "key_data", "msg", "signature"]),
        (SSHServerConnection, "validate_password", ["self", "username", "password"]),
        (SSHServerConnection, "change_password", ["self", "username", "old_password", "new_password"]),
        (SSHServerConnection, "password_auth_supported", ["self"]),
        (SSHServerConnection, "public_key_auth_supported", ["self"]),
        (SSHServerConnection, "disconnect", ["self", "code", "reason", "lang"]),
        (SSHAcceptor, "update", ["self", "kwargs"]),
        (SSHServerConnection, "pause_writing", ["self"]),
        (SSHServerConnection, "resume_writing", ["self"]),
        (SSHServerChannel, "_process_env_request", ["self", "packet"]),
        (SFTPServerHandler, "__init__", ["self", "server", "reader", "writer", "sftp_version"]),
        (SFTPServerHandler, "_process_open", ["self", "packet"]),
        (SFTPServerHandler, "_process_opendir", ["self", "packet"]),
        (SFTPServerHandler, "_process_close", ["self", "packet"]),
        (SFTPServerHandler, "_process_read", ["self", "packet"]),
        (SFTPServerHandler, "_process_limits", ["self", "packet"]),
        (SFTPServerHandler, "_process_write", ["self", "packet"]),
        (SFTPServerHandler, "_get_next_handle", ["self"]),
        (SFTPServerHandler, "run", ["self"]),
        (SFTPHandler, "recv_packet", ["self"]),
        (SSHServerStreamSession, "session_started", ["self"]),
        (SSHServerStreamSession, "data_received", ["self", "data", "datatype"]),
        (SSHServerConnection, "send_packet", ["self", "pkttype", "args", "handler"]),
        (SSHServerConnection, "_send_kexinit", ["self"]),
        (SSHServerConnection, "_send_deferred_packets", ["self"]),
        (SSHServerConnection, "_send_disconnect", ["self", "code", "reason", "lang"]),
        (SSHServerConnection, "_force_close", ["self", "exc"]),
        (SSHServerConnection, "connection_lost", ["self", "exc"]),
        (SSHServerConnection, "_recv_data", ["self"]),
        (SSHServerConnection, "_recv_pkthdr", ["self"]),
        (SSHServerConnection, "_reset_keepalive_timer", ["self"]),
        (SSHServerConnection, "_keepalive_timer_callback", ["self"]),
        (SSHServerChannel, "write", ["self", "data", "datatype"]),
        (SSHServerChannel, "_flush_send_buf", ["self"]),
        (SSHServerChannel, "_accept_data", ["self", "data", "datatype"]),
        (SSHServerChannel, "_deliver_data", ["self", "data", "datatype"]),
        (GCMCipher, "encrypt_and_sign", ["self", "header", "data"]),
        (GCMCipher, "verify_and_decrypt", ["self", "header", "data", "mac"]),
        (SFTPHandler, "send_packet", ["self", "pkttype", "pktid", "args"]),
    ],
)
def test_what_is_replaced_is_still_there(owner: type, name: str, parameters: list[str]) -> None:
    """Every method that is replaced or extended has the parameters it had."""
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (SSHServerConnection._finish_userauth, "await self.send_userauth_success()"),
        (SSHServerConnection._process_service_request, "service != self._next_service"),
        (SSHServerConnection._process_userauth_request, "auth.cancel()"),
        (SSHServerConnection._process_userauth_request, "username != self._username"),
        (_ServerPublicKeyAuth._start, "await self._conn.validate_public_key("),
        (_ServerPublicKeyAuth._start, "await self.send_success()"),
        (_ServerPasswordAuth._start, "await self._conn.validate_password(self._username, password)"),
        (_ServerPasswordAuth._start, "except PasswordChangeRequired"),
        (lookup_server_auth, "handler.supported(conn)"),
        (SSHServerConnection.validate_public_key, "key.verify(String(self._session_id) + msg, signature)"),
        (SFTPServerHandler._process_packet, "self._packet_handlers.get(handler_type)"),
        (SFTPServerHandler._process_close, "self._server.close(file_obj)"),
        (SFTPServerHandler._cleanup, "self._server.close(file_obj)"),
        (SFTPServerHandler.run, "self._extensions"),
        (SFTPHandler.recv_packets, "await self.recv_packet()"),
        (SFTPServerHandler._process_write, "self._server.write(file_obj, offset, data)"),
        (SSHServerConnection._update_recv_pktlen, "max(self._max_recv_pktlen, max_pktsize + 1024)"),
        (SSHServerStreamSession.connection_lost, "self._connection_lost = True"),
        (SSHServerConnection.data_received, "self._inpbuf += data"),
        (SSHServerConnection.data_received, "self._recv_data()"),
        (SSHServerConnection.send_packet, "self.send_packet(MSG_IGNORE, String(b''))"),
        (SSHServerConnection.send_packet, "self._rekey_bytes_sent += pktlen"),
        (SSHServerConnection._recv_packet, "self._recv_encryption.decrypt_packet("),
        (SSHServerConnection._finish_recv_packet, "self._auth_final = True"),
        (SSHServerChannel._process_data, "datalen > self._recv_window"),
        (SSHServerChannel._flush_send_buf, "while self._send_buf and self._send_window:"),
        (SSHServerConnection.send_packet, "self._send_seq = (seq + 1) & 0xffffffff"),
        (SSHServerConnection.send_packet, "self._auth_complete and self._kex_complete and"),
        (SSHServerConnection.send_packet, "self._rekey_bytes_sent >= self._rekey_bytes or"),
        (SSHServerConnection.send_packet, "time.monotonic() >= self._rekey_time"),
        (SSHServerConnection.send_packet, "self._deferred_packets.append((pkttype, args))"),
        (SSHServerConnection._send_kexinit, "self._kex_complete = False"),
        (SSHServerConnection.send_newkeys, "self._kex_complete = True"),
        (SSHServerConnection.send_newkeys, "self._send_deferred_packets()"),
        (SSHServerConnection._finish_recv_packet, "self._recv_seq = (seq + 1) & 0xffffffff"),
        (SSHServerConnection._recv_pkthdr, "self._pktlen > self._max_recv_pktlen"),
        (SSHServerConnection._set_keepalive_timer, "self._keepalive_timer = self._loop.call_later("),
        (SSHServerChannel.process_open, "self._send_pktsize = send_pktsize"),
        (SSHServerChannel._flush_send_buf, "self._send_buf_len -= len(data)"),
        (SSHServerChannel._flush_send_buf, "min(self._send_window, self._send_pktsize)"),
        (SSHServerChannel._accept_data, "self._recv_buf.append((data, datatype))"),
        (SSHServerChannel._accept_data, "self._recv_window -= len(data)"),
        (SSHServerChannel._accept_data, "if self._recv_paused:"),
        (SSHServerChannel._deliver_data, "self.send_packet(MSG_CHANNEL_WINDOW_ADJUST, UInt32(adjust))"),
        (SSHServerChannel._deliver_data, "self._session.data_received(decoded_data, datatype)"),
        (SSHServerChannel._flush_recv_buf, "self._deliver_data(*self._recv_buf.pop(0))"),
        (GCMCipher.encrypt_and_sign, "AESGCM(self._key).encrypt(self._iv, data, header)"),
        (GCMEncryption.__init__, "self._cipher = "),
        (GCMEncryption.decrypt_packet, "self._cipher.verify_and_decrypt(first[:header_len],"),
    ],
)
def test_what_is_replaced_is_still_used(where: object, words: str) -> None:
    """The library goes through the places that are replaced."""
    assert words in inspect.getsource(where)  # type: ignore[arg-type] # methods, each of its own type


def test_every_request_is_known() -> None:
    """A request that asyncssh learns is not answered before it has been looked at."""
    names = {getattr(answer, "__name__", "") for answer in Requests._packet_handlers.values()}
    assert names == {
        "_process_open",
        "_process_close",
        "_process_read",
        "_process_write",
        "_process_lstat",
        "_process_fstat",
        "_process_setstat",
        "_process_fsetstat",
        "_process_opendir",
        "_process_readdir",
        "_process_remove",
        "_process_mkdir",
        "_process_rmdir",
        "_process_realpath",
        "_process_stat",
        "_process_rename",
        "_process_readlink",
        "_process_symlink",
        "_process_posix_rename",
        "_process_fsync",
        "_process_limits",
        "_process_statvfs",
        "_process_fstatvfs",
    }
    assert {name for name, _ in Requests._extensions} == {
        b"posix-rename@openssh.com",
        b"fsync@openssh.com",
        b"limits@openssh.com",
        b"statvfs@openssh.com",
        b"fstatvfs@openssh.com",
    }
