package state

import "github.com/flipdeploy/flipdeploy/deploy"

// Outcome is how the rollout ended, "" while it is unfinished.
func (j *Journal) Outcome() deploy.Outcome { return outcome(j.Records) }
