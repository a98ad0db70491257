// Signs the local user in: the token stands in the address after `#`, and leaves it before anything else happens.

const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
if (token) {
  document.getElementById("token").value = token;
  document.getElementById("local").requestSubmit();
}
