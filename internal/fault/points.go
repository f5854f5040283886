package fault

// Point is a place in a program's work that a test may have something happen at.
type Point string

// What a coordinator comes by. At LogWrite a failure is one of the disk; at the others it has no effect.
const (
	Elected      Point = "elected"       // it leads, and has applied the log; nobody has been told
	Propose      Point = "propose"       // the log has not been asked to agree on a step
	LogWrite     Point = "log-write"     // an entry is not yet in this coordinator's log
	LogWritten   Point = "log-written"   // it is, and perhaps in no other
	Apply        Point = "apply"         // the log has agreed, this coordinator has not applied it
	Broadcast    Point = "broadcast"     // a step is committed, nobody has been told
	BroadcastEnd Point = "broadcast-end" // all have been sent their part of ξ'
)

// What a worker comes by. At those of its disk (Save…) a failure is one of the disk; at the others it has no effect.
const (
	Form       Point = "form"        // a plan names its peers, and it has reached none
	Restore    Point = "restore"     // the group is formed, the state not looked for
	Restored   Point = "restored"    // it holds the state, and has not said so
	StandBy    Point = "stand-by"    // the others train, and it has not asked them for the state
	Step       Point = "step"        // a step begins
	Bucket     Point = "bucket"      // a part of the gradient is to go round the ring
	Prepared   Point = "prepared"    // the next state is computed, nobody has been told
	Proposed   Point = "proposed"    // the coordinator has been told all, and may commit
	Committed  Point = "committed"   // this worker's part of ξ' is here, its peers lack it
	Shared     Point = "shared"      // all of ξ' is here, the state is still that of the step before
	Adopted    Point = "adopted"     // it is that of the next one
	Evaluate   Point = "evaluate"    // an evaluation begins
	Snapshot   Point = "snapshot"    // a checkpoint is ordered, and nothing of it copied
	SaveCreate Point = "save-create" // a checkpoint's file is to be made
	SaveWrite  Point = "save-write"  // some of it is to be written
	SaveSync   Point = "save-sync"   // all of it is to be flushed
	SaveRename Point = "save-rename" // it is to get its name
	Saved      Point = "saved"       // it is stored, nobody has been told
)

// AllPoints are all of them.
func AllPoints() []Point {
	return []Point{Elected, Propose, LogWrite, LogWritten, Apply, Broadcast, BroadcastEnd, Form, Restore, Restored,
		StandBy, Step, Bucket, Prepared, Proposed, Committed, Shared, Adopted, Evaluate, Snapshot, SaveCreate, SaveWrite,
		SaveSync, SaveRename, Saved}
}

// Points is told which points a program comes by, from any of its goroutines: it may stop who calls it, or have it
// fail. Programs have none, and no setting gives them any.
type Points func(Point) error

// Reach says that a point is reached. Where the answer is an error, the work that follows is to fail with it.
func (p Points) Reach(at Point) error {
	if p == nil {
		return nil
	}
	return p(at)
}

// Pass is Reach where nothing of the program's own can fail.
func (p Points) Pass(at Point) {
	if p != nil {
		_ = p(at)
	}
}
