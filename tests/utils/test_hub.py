"""`torch.hub`: a file of weights is fetched once, whole, and only if its sum is right."""

import hashlib
import http.server
import threading

import pytest

import tinygrad_mnist as torch
from tinygrad_mnist import hub


@pytest.fixture
def address(tmp_path):
    """A server of the files in a folder."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_weights_are_fetched_once(address, tmp_path, monkeypatch, capsys):
    folder, url = address
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    assert hub.get_dir() == str(tmp_path / "home" / "hub")
    torch.save({"weight": torch.arange(3.0)}, folder / "new.pth")
    digest = hashlib.sha256((folder / "new.pth").read_bytes()).hexdigest()
    name = f"net-{digest[:8]}.pth"
    (folder / "new.pth").rename(folder / name)
    for _ in range(2):
        found = hub.load_state_dict_from_url(f"{url}/{name}", check_hash=True)
        assert torch.equal(found["weight"], torch.arange(3.0))
    kept = tmp_path / "home" / "hub" / "checkpoints" / name
    assert capsys.readouterr().out == f'Downloading: "{url}/{name}" to {kept}\n'
    (folder / "net-00000000.pth").write_bytes(kept.read_bytes())
    with pytest.raises(RuntimeError, match='expected "00000000", got'):
        hub.load_state_dict_from_url(f"{url}/net-00000000.pth", check_hash=True)
    with pytest.raises(RuntimeError, match="cannot be downloaded"):
        hub.load_state_dict_from_url(f"{url}/absent.pth")
    assert [each.name for each in kept.parent.iterdir()] == [name]
    monkeypatch.setattr(hub, "_folder", None)
    hub.set_dir(tmp_path / "other")
    assert hub.get_dir() == str(tmp_path / "other")
