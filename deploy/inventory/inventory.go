// Package inventory reads the TOML file that names a fleet: one app, its hosts
// and its balancers. What it returns is plain and resolved: every default is
// filled in, every path absolute, every host range counted out.
package inventory

import "time"

// An Inventory is one app and the machines it runs on, checked as a whole.
type Inventory struct {
	Path   string // as it was given
	Dir    string // absolute; relative paths in the file are relative to it
	SHA256 string // of the file

	App     App
	Reload  Reload
	Health  Health
	Rollout Rollout
	Hooks   Hooks
	SSH     SSH
	State   State
	LBs     []LB   // at least one, names unique
	Hosts   []Host // at least one, names and backends unique, ranges counted out
}

// An App is what is deployed.
type App struct {
	Name     string
	Artifact string // absolute path, https://…, s3://…, or "": the command must name one
	// SHA256 is that of the artifact's bytes, of a directory that of its canonical tar;
	// "" is not known.
	SHA256         string
	AllowedSigners string // file of ssh-keygen -Y; "": the artifact needs no signature
	Entry          string // program inside the release; "" is the name of a single-file artifact
	Path           string // default for the hosts
	Ports          []int  // default for the hosts
	Keep           int
	RunAs          string // "" is the unit's user
}

// A Reload is how the running app takes a new release over. Preset is merged in.
type Reload struct {
	Preset     string
	Install    string // symlink, replace
	Binary     string // with replace: the path the app re-executes, relative to the host's Path
	Method     string // signal, systemd (systemctl reload), command, restart
	Signal     string // HUP, USR1, …; set with Method signal
	PIDFile    string
	PIDCommand []string
	Unit       string
	Command    []string // with Method command
	Check      []string // must end with 0 before anything is sent; nil: nothing is looked at
	Start      []string // default: systemctl start of Unit; nil without either
	Stop       []string // default: systemctl stop of Unit; nil without either
	Timeout    time.Duration
	Settle     time.Duration
	Log        string // "" is the unit's journal
	// OnEnvChange: what to do where the unit or its environment changed since the app was
	// started, which no reload in place brings: warn, restart.
	OnEnvChange string
}

// A Health is how a host is asked whether it is well.
type Health struct {
	Kind        string // http, tcp, command
	Path        string
	Scheme      string // http, https
	CA          string // file of PEM certificates on this machine, "" is the system's
	Host        string // Host header and SNI, "" is the address
	Port        int    // 0 when each host's own first port is asked, see Host.HealthPort
	Status      []int  // every answer that is good
	Body        string // must be contained
	Command     []string
	Rise        int
	Interval    time.Duration
	Timeout     time.Duration
	Deadline    time.Duration
	VersionPath string
	Via         string // lb, host, auto
}

// A Rollout holds the numbers that flags may override; call Recheck after that.
type Rollout struct {
	Parallel         Amount
	Canary           Amount
	Bake             time.Duration
	ZoneBake         time.Duration // the first zone is watched that long before the next is begun
	MinServing       Amount        // zero: max(1, serving at the start − parallel)
	MaxFailures      Amount
	OnFailure        string // rollback, pause, continue
	DrainTimeout     time.Duration
	OnDrainTimeout   string // abort, proceed, cut
	LBReadyTimeout   time.Duration
	HostDeadline     time.Duration
	ProgressDeadline time.Duration
	Judge            Judge
}

// A Judge says what has to be seen of a canary under traffic.
type Judge struct {
	On          bool // the inventory has one
	MinRequests int
	BakeMax     time.Duration
	OnDoubt     string // pause, pass
}

// Hooks are commands of this machine, run in Dir while the lock is held; nil: none.
type Hooks struct {
	Before     []string // before the first host of a run is touched
	After      []string // at its end
	BeforeHost []string
	AfterHost  []string
	Timeout    time.Duration // of each
}

// An SSH holds the defaults of all machines; a Machine has what holds for it.
type SSH struct {
	User          string
	Port          int
	IdentityFiles []string // absolute; empty: the agent, else the usual files
	KnownHosts    []string // absolute
	Jump          []Jump
	Config        bool
	Sudo          bool
}

// A Jump is one machine that a connection goes through.
type Jump struct {
	User string // "" is the user of the machine behind; with SSH.Config, what that says
	Host string
	Port int // 0 is 22, or what SSH.Config says
}

// A State is where lease, fence, marks and journal are kept.
type State struct {
	Dir   string // on the balancers
	Store string // "" is Dir
	Etcd  Etcd   // of Store
}

// A Machine is reached over SSH. With SSH.Config, what the inventory does not say is
// left to ~/.ssh/config: "", 0 or nil here.
type Machine struct {
	Name          string
	Address       string // an IP address without brackets, or a host name
	SSHPort       int
	User          string
	IdentityFiles []string
	KnownHosts    []string
	Jump          []Jump // empty: reached directly, or as SSH.Config says
	Sudo          bool
	Line          int // of its [[host]] or [[lb]] in the file
}

// An LB is one balancer.
type LB struct {
	Machine
	Kind         string // haproxy, nginx
	Upstreams    []string
	Socket       string // path, or tcp://host:port
	MasterSocket string // "" when there is none
	Config       string // nginx: where parsing starts
	Zone         string // whose hosts alone it carries; "": it may carry all
}

// A Host runs the app.
type Host struct {
	Machine
	Path       string
	Ports      []int
	HealthPort int
	Backends   []string // address:port as the balancers know it, IPv6 in brackets
	Zone       string   // all hosts have one, or none has
	Labels     []string
	ReloadSudo bool // start, stop and signals through sudo -n
	// CommandSudo: so are reload.command and reload.check.
	CommandSudo bool
}
