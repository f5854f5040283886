package worker

import pb "byol/proto"

func (w *worker) tooLarge(local int) *pb.TooLarge { return nil }
