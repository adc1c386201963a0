"""What every deployment has: roles, a with block, and what its daemons say on their admin ports."""

import http.client
import time


class AnyDeployment:
    """Who inherits has start(), close(), alive(name), log(name) and _admin_connection(name, seconds)."""

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def role_of(self, name):
        return name.rstrip("0123456789") if not name.startswith("blob") else "blobnode"

    def _ask(self, name, path, seconds):
        connection = self._admin_connection(name, seconds)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def ready(self, name):
        try:
            return self._ask(name, "/health", 1).startswith("ready")
        except (OSError, http.client.HTTPException):
            return False

    def wait_ready(self, name, seconds):
        """Seconds that it took from now on."""
        begin = time.monotonic()
        while not self.ready(name):
            is_dead = not self.alive(name)
            if is_dead or time.monotonic() - begin > seconds:
                what = "does not run" if is_dead else f"is not ready after {seconds} s"
                raise RuntimeError(f"{name} {what}; its log ends:\n{self.log(name)[-1500:]}")
            time.sleep(0.02)
        return time.monotonic() - begin

    def metrics(self, name):
        lines = [line.split() for line in self._ask(name, "/metrics", 5).splitlines()
                 if line and not line.startswith("#")]
        return {words[0]: float(words[1]) for words in lines}
